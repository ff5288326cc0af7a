#include "reel/jobs/job_runner.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "delivery.h"
#include "job_metrics.h"
#include "reel/base/log.h"
#include "run_control.h"
#include "writer_thread.h"

namespace reel::jobs {

std::string_view file_extension(const JobSpec& spec) {
  if (spec.kind == Kind::Video) return "mp4";
  switch (spec.image_format) {
    case gen::ImageFormat::Png:
      return "png";
    case gen::ImageFormat::Webp:
      return "webp";
    case gen::ImageFormat::Jpeg:
      break;
  }
  return "jpg";
}

class JobRunner::Slots {
 public:
  Slots(JobStore& jobs, BlobStore& blobs, gen::Generator& generator,
        OutputWriterFactory make_writer, Metrics& metrics, const RunnerOptions& options)
      : jobs_(jobs),
        blobs_(blobs),
        generator_(generator),
        make_writer_(std::move(make_writer)),
        metrics_(jobs, metrics, generator.describe().model),
        takers_(generator.slots()) {
    for (int i = 0; i < generator.slots(); ++i) {
      Slot& slot = *slots_.emplace_back(std::make_unique<Slot>(options.max_frame_bytes));
      slot.taker = std::jthread([this, &slot] { serve(slot.writer); });
    }
  }

  ~Slots() { drain(std::chrono::milliseconds(0)); }

  bool drain(std::chrono::milliseconds timeout) {
    stop_.request_stop();
    const auto idle = [this] { return takers_ == 0 && running_.empty(); };
    std::unique_lock lock(mutex_);
    const bool in_time = changed_.wait_for(lock, timeout, idle);
    if (!in_time) {
      overdue_ = true;
      const std::set<std::string> late = running_;
      lock.unlock();
      for (const std::string& id : late) cancel(id);
      lock.lock();
    }
    changed_.wait(lock, idle);
    return in_time;
  }

 private:
  struct Slot {
    explicit Slot(size_t max_frame_bytes) : writer(max_frame_bytes) {}
    WriterThread writer;
    std::jthread taker;  // ends before the writer that it posts to
  };

  void serve(WriterThread& writer) {
    while (wait_until_ready()) {
      try {
        if (auto taken = jobs_.take(stop_.get_token())) run(writer, *std::move(taken));
      } catch (const Error& error) {
        log::error("job.not_taken", {{"why", error.what()}});
        pause(std::chrono::seconds(1));
      }
    }
    const std::lock_guard lock(mutex_);
    --takers_;
    changed_.notify_all();
  }

  /// False once no more jobs are to be taken.
  bool wait_until_ready() {
    while (!stop_.stop_requested()) {
      if (generator_.state().phase == gen::State::Phase::Ready) return true;
      pause(std::chrono::milliseconds(50));
    }
    return false;
  }

  /// Shorter when it is time to stop.
  void pause(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop_.get_token(), time, [] { return false; });
  }

  void run(WriterThread& writer, Taken taken) {
    const std::string id = taken.job.id;
    const auto delivery =
        std::make_shared<Delivery>(jobs_, blobs_, make_writer_, writer, std::move(taken));
    bool overdue = false;
    {
      const std::lock_guard lock(mutex_);
      running_.insert(id);
      overdue = overdue_;
    }
    if (overdue) cancel(id);
    log::info("job.started", {{"job", id}});
    const Stopwatch watch;
    Result result = generate(*delivery);
    delivery->close(
        std::move(result),
        [this, kind = delivery->job().spec->kind](const Delivery::Seconds& seconds) {
          metrics_.stage(kind == Kind::Video ? "encode_mp4" : "encode_image", seconds.encode);
          metrics_.stage("store", seconds.store);
        },
        [this, id, watch] { end(id, watch.milliseconds()); });
  }

  /// All outputs of one job, up to their last frame. What goes wrong is the delivery's to tell.
  Result generate(Delivery& delivery) {
    const gen::ResolvedRequest& request = delivery.job().spec->request;
    RunControl control(jobs_, delivery, metrics_);
    Result result;
    const Stopwatch watch;
    try {
      for (int output = 0; output < request.num_outputs() && !delivery.is_off(); ++output) {
        control.begin_output(output);
        const auto sink = delivery.sink(output);
        const gen::Outcome outcome = generator_.generate(request, output, nullptr, *sink, control);
        if (outcome.kind != gen::Outcome::Kind::Done) {
          throw Error(ErrorCode::Cancelled, "the generation was stopped");
        }
        delivery.finish_output();
        add(result, outcome);
      }
    } catch (const Error& error) {
      delivery.give_up({std::string(job_error_code(error.code())), error.what()});
    } catch (const std::exception& error) {
      delivery.give_up({"generation_failed", error.what()});
    }
    result.inference_time_s = watch.seconds();
    return result;
  }

  void add(Result& result, const gen::Outcome& outcome) const {
    result.stages.text_encode += outcome.text_seconds;
    result.stages.denoise += outcome.denoise_seconds;
    result.stages.vae_decode += outcome.decode_seconds;
    if (outcome.peak_memory_mb) {
      result.peak_memory_mb = std::max(result.peak_memory_mb.value_or(0), *outcome.peak_memory_mb);
    }
    metrics_.stage("text_encode", outcome.text_seconds);
    metrics_.stage("denoise", outcome.denoise_seconds);
    metrics_.stage("vae_decode", outcome.decode_seconds);
  }

  void cancel(const std::string& id) {
    try {
      jobs_.cancel(id, "the server is shutting down");
    } catch (const Error&) {
      // It was removed meanwhile, which ends it as well.
    }
  }

  void end(const std::string& id, double milliseconds) {
    const auto job = jobs_.find(id);
    const std::string_view status = job ? name(job->status) : "removed";
    const std::string why = job && job->error ? job->error->message : "";
    if (why.empty()) {
      log::info("job.ended", {{"job", id}, {"status", status}, {"ms", milliseconds}});
    } else {
      log::warning("job.ended",
                   {{"job", id}, {"status", status}, {"ms", milliseconds}, {"why", why}});
    }
    const std::lock_guard lock(mutex_);
    running_.erase(id);
    changed_.notify_all();
  }

  JobStore& jobs_;
  BlobStore& blobs_;
  gen::Generator& generator_;
  const OutputWriterFactory make_writer_;
  JobMetrics metrics_;
  std::stop_source stop_;

  std::mutex mutex_;  // guards what follows, down to `overdue_`
  std::condition_variable_any changed_;
  int takers_;
  std::set<std::string> running_;  // taken, and not yet settled
  bool overdue_ = false;           // drain() ran out of time

  std::vector<std::unique_ptr<Slot>> slots_;  // their threads use all of the above
};

JobRunner::JobRunner(JobStore& jobs, BlobStore& blobs, gen::Generator& generator,
                     OutputWriterFactory make_writer, Metrics& metrics, RunnerOptions options)
    : slots_(std::make_unique<Slots>(jobs, blobs, generator, std::move(make_writer), metrics,
                                     options)) {}

JobRunner::~JobRunner() = default;

bool JobRunner::drain(std::chrono::milliseconds timeout) { return slots_->drain(timeout); }

}  // namespace reel::jobs
