#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "reel/base/metrics.h"
#include "reel/gen/generator.h"
#include "reel/jobs/blob_store.h"
#include "reel/jobs/job_store.h"

namespace reel::jobs {

/// Turns the frames of one output into the bytes of its file.
class OutputWriter : public gen::FrameSink {
 public:
  /// Files that go with a video: a thumbnail in WebP, a sprite sheet in JPEG.
  struct Pictures {
    std::string thumbnail{}, spritesheet{};  // "": none
  };
  /// After the last frame: the file is whole.
  virtual Pictures finish() = 0;
};

/// Makes the writer of one output into `part`, which outlives it.
using OutputWriterFactory =
    std::function<std::unique_ptr<OutputWriter>(BlobPart& part, const JobSpec& spec, int output)>;

/// "mp4", "png", "jpg" or "webp".
std::string_view file_extension(const JobSpec& spec);

struct RunnerOptions {
  size_t max_frame_bytes = size_t{512} << 20;  // decoded and not yet encoded, for each slot
};

/// Takes jobs and makes them: one thread for each slot of the generator, and one that writes its
/// files, so that the next job is denoised while the last one's file is still being encoded.
///
/// At a step boundary a job is paused when another's turn has come (JobStore::is_preempted): its
/// snapshot, and the outputs it has made, wait here until it is taken again. Not while an output is
/// decoded. A job whose timeout has passed fails within a step.
///
/// A job that throws fails, its part files vanish, and the queue goes on.
class JobRunner {
 public:
  /// Begins at once; takes jobs when the generator is ready. All arguments outlive the runner.
  JobRunner(JobStore& jobs, BlobStore& blobs, gen::Generator& generator,
            OutputWriterFactory make_writer, Metrics& metrics, RunnerOptions options = {});

  /// drain(0).
  ~JobRunner();

  /// Takes no more jobs, gives up the queue, and waits for those that run or are paused. After
  /// `timeout` they are cancelled, and end at their next step. True if none had to be.
  bool drain(std::chrono::milliseconds timeout);

 private:
  class Slots;
  std::unique_ptr<Slots> slots_;
};

}  // namespace reel::jobs
