#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "reel/jobs/blob_store.h"
#include "reel/jobs/job_runner.h"
#include "reel/jobs/job_store.h"
#include "writer_thread.h"

namespace reel::jobs {

/// Where the frames of one job go: to the writer thread, into files, and at last into the store as
/// a completed or a failed job. Shared by the generator's thread and the tasks posted from there.
class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  /// What the writer's side took.
  struct Seconds {
    double encode = 0, store = 0;
  };

  Delivery(JobStore& jobs, BlobStore& blobs, const OutputWriterFactory& make_writer,
           WriterThread& thread, Taken taken)
      : jobs_(jobs),
        blobs_(blobs),
        make_writer_(make_writer),
        thread_(thread),
        taken_(std::move(taken)) {}

  const Job& job() const { return taken_.job; }

  /// Nobody wants this job's files any more: it was cancelled, or has failed. Any thread.
  bool is_off() const;

  /// The first reason counts; later ones are its echo. Any thread.
  void give_up(JobError error);

  /// The sink of the next output. It throws Error(Cancelled) once the job is off.
  std::unique_ptr<gen::FrameSink> sink(int output);

  /// The output's last frame was handed over.
  void finish_output();

  /// After the last output, or after giving up: ends the job once its files are written. `told` is
  /// called just before, `ended` just after, both on the writer thread.
  void close(Result result, std::function<void(const Seconds&)> told, std::function<void()> ended);

 private:
  class Sink;

  /// Runs `work` on the writer thread, unless the job is off by then.
  void post(size_t bytes, std::function<void()> work);

  void open_file(int output, const gen::VideoFormat& format);
  void write(gen::Frames frames);
  void close_file();

  void settle(Result result);

  JobStore& jobs_;
  BlobStore& blobs_;
  const OutputWriterFactory& make_writer_;
  WriterThread& thread_;
  const Taken taken_;

  mutable std::mutex mutex_;
  std::optional<JobError> error_;  // guarded by mutex_

  // The writer thread's own. A writer goes before the part that it writes to.
  std::string blob_name_;
  std::unique_ptr<BlobPart> part_;
  std::unique_ptr<OutputWriter> writer_;
  int frames_missing_ = 0;
  std::vector<Output> outputs_;
  Seconds seconds_;
};

}  // namespace reel::jobs
