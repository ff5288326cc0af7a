#include "reel/jobs/job_runner.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "deadlines.h"
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

/// A job at work or paused, one thread's at a time.
struct Run {
  Run(JobStore& jobs, std::shared_ptr<Delivery> to, const JobMetrics& metrics,
      std::stop_token draining)
      : delivery(std::move(to)), control(jobs, *delivery, metrics, std::move(draining)) {}

  const std::string& id() const { return delivery->job().id; }

  const std::shared_ptr<Delivery> delivery;
  RunControl control;
  Result result;
  int output = 0;                         // the one at work
  std::optional<gen::Snapshot> snapshot;  // of it, when paused
  const Stopwatch since_taken;
};

class JobRunner::Slots {
 public:
  Slots(JobStore& jobs, BlobStore& blobs, gen::Generator& generator,
        OutputWriterFactory make_writer, Metrics& metrics, const RunnerOptions& options)
      : jobs_(jobs),
        blobs_(blobs),
        generator_(generator),
        make_writer_(std::move(make_writer)),
        metrics_(jobs, metrics, generator.describe().model),
        takers_(generator.slots()),
        watch_(jobs.watch([this](const Job& job) {
          if (const auto run = is_final(job.status) ? take_paused(job.id) : nullptr) close(*run);
        })) {
    for (int i = 0; i < generator.slots(); ++i) {
      Slot& slot = *slots_.emplace_back(std::make_unique<Slot>(options.max_frame_bytes));
      slot.taker = std::jthread([this, &slot] { serve(slot.writer); });
    }
  }

  ~Slots() { drain(std::chrono::milliseconds(0)); }

  bool drain(std::chrono::milliseconds timeout) {
    stop_.request_stop();
    give_up_queue();
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
    lock.unlock();
    give_up_queue();  // what was on its way when the first was given up
    return in_time;
  }

 private:
  struct Slot {
    explicit Slot(size_t max_frame_bytes) : writer(max_frame_bytes) {}
    WriterThread writer;
    std::jthread taker;  // ends before the writer that it posts to
  };

  void serve(WriterThread& writer) {
    for (;;) {
      wait_until_ready();
      try {
        auto taken = jobs_.take(stop_.get_token());
        if (!taken) break;  // told to stop
        run(writer, *std::move(taken));
      } catch (const Error& error) {
        log::error("job.not_taken", {{"why", error.what()}});
        if (stop_.stop_requested()) break;
        pause(std::chrono::seconds(1));
      }
    }
    const std::lock_guard lock(mutex_);
    --takers_;
    changed_.notify_all();
  }

  /// Or until it is time to stop.
  void wait_until_ready() {
    while (!stop_.stop_requested() && generator_.state().phase != gen::State::Phase::Ready) {
      pause(std::chrono::milliseconds(50));
    }
  }

  /// Shorter when it is time to stop.
  void pause(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop_.get_token(), time, [] { return false; });
  }

  void run(WriterThread& writer, Taken taken) {
    auto run = take_paused(taken.job.id);
    log::info(run ? "job.resumed" : "job.started", {{"job", taken.job.id}});
    if (!run) run = begin(writer, std::move(taken));
    if (generate(*run)) {
      close(*run);
    } else {
      put_back(std::move(run));
    }
  }

  std::unique_ptr<Run> begin(WriterThread& writer, Taken taken) {
    const std::string id = taken.job.id;
    bool overdue = false;
    {
      const std::lock_guard lock(mutex_);
      running_.insert(id);
      overdue = overdue_;
    }
    if (overdue) cancel(id);
    return std::make_unique<Run>(
        jobs_, std::make_shared<Delivery>(jobs_, blobs_, make_writer_, writer, std::move(taken)),
        metrics_, stop_.get_token());
  }

  /// Goes on with all outputs of one job, up to their last frame. False if it was paused before.
  /// What goes wrong is the delivery's to tell.
  bool generate(Run& run) {
    const int outputs = run.delivery->job().spec->request.num_outputs();
    try {
      for (; run.output < outputs && !run.delivery->is_off(); ++run.output) {
        if (!generate_output(run)) return false;
        run.delivery->finish_output();
      }
    } catch (const Error& error) {
      run.delivery->give_up({std::string(job_error_code(error.code())), error.what()});
    } catch (const std::exception& error) {
      run.delivery->give_up({"generation_failed", error.what()});
    }
    return true;
  }

  bool generate_output(Run& run) {
    run.control.begin(run.output, run.snapshot.has_value(), run.result.inference_time_s);
    const auto sink = run.delivery->sink(run.output);
    const Stopwatch watch;
    gen::Outcome outcome =
        generator_.generate(run.delivery->job().spec->request, run.output,
                            run.snapshot ? &*run.snapshot : nullptr, *sink, run.control);
    run.result.inference_time_s += watch.seconds();
    add(run.result, outcome);
    run.snapshot.reset();
    if (outcome.kind == gen::Outcome::Kind::Paused) run.snapshot = std::move(outcome.snapshot);
    if (outcome.kind == gen::Outcome::Kind::Cancelled) {
      throw Error(ErrorCode::Cancelled, "the generation was stopped");
    }
    return outcome.kind == gen::Outcome::Kind::Done;
  }

  void put_back(std::unique_ptr<Run> run) {
    const std::string id = run->id();
    log::info("job.paused", {{"job", id}});
    {
      const std::lock_guard lock(mutex_);
      paused_[id] = std::move(run);  // before another thread can take it again
    }
    JobError why{"cancelled", "it ended just when it was paused"};
    try {
      if (jobs_.put_back(id)) {
        metrics_.preempted();
        return;
      }
    } catch (const Error& error) {
      why = {std::string(job_error_code(error.code())), error.what()};
    }
    if (const auto stays = take_paused(id)) {
      stays->delivery->give_up(std::move(why));
      close(*stays);
    }
  }

  /// The run of a paused job; null if it is not paused.
  std::unique_ptr<Run> take_paused(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = paused_.extract(id);
    return found ? std::move(found.mapped()) : nullptr;
  }

  /// Never waits: for the writer's thread to end the job.
  void close(Run& run) {
    if (!run.delivery->is_off()) {
      const StageSeconds& stages = run.result.stages;
      metrics_.stage("text_encode", stages.text_encode);
      if (stages.image_encode > 0) metrics_.stage("image_encode", stages.image_encode);
      if (stages.vae_encode > 0) metrics_.stage("vae_encode", stages.vae_encode);
      metrics_.stage("denoise", stages.denoise);
      metrics_.stage("vae_decode", stages.vae_decode);
    }
    run.delivery->close(
        std::move(run.result),
        [this, kind = run.delivery->job().spec->kind](const Delivery::Seconds& seconds) {
          metrics_.stage(kind == Kind::Video ? "encode_mp4" : "encode_image", seconds.encode);
          metrics_.stage("store", seconds.store);
        },
        [this, id = run.id(), watch = run.since_taken] { end(id, watch.milliseconds()); });
  }

  static void add(Result& result, const gen::Outcome& outcome) {
    result.stages.text_encode += outcome.text_seconds;
    result.stages.image_encode += outcome.image_seconds;
    result.stages.vae_encode += outcome.encode_seconds;
    result.stages.denoise += outcome.denoise_seconds;
    result.stages.vae_decode += outcome.decode_seconds;
    if (outcome.peak_memory_mb) {
      result.peak_memory_mb = std::max(result.peak_memory_mb.value_or(0), *outcome.peak_memory_mb);
    }
  }

  void give_up_queue() {
    try {
      jobs_.give_up_queue("the server is shutting down");
    } catch (const Error& error) {
      log::error("queue.not_given_up", {{"why", error.what()}});
    }
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
  std::map<std::string, std::unique_ptr<Run>> paused_;
  bool overdue_ = false;  // drain() ran out of time

  const std::unique_ptr<JobStore::Watch> watch_;
  const Deadlines deadlines_{jobs_};
  std::vector<std::unique_ptr<Slot>> slots_;  // their threads use all of the above
};

JobRunner::JobRunner(JobStore& jobs, BlobStore& blobs, gen::Generator& generator,
                     OutputWriterFactory make_writer, Metrics& metrics, RunnerOptions options)
    : slots_(std::make_unique<Slots>(jobs, blobs, generator, std::move(make_writer), metrics,
                                     options)) {}

JobRunner::~JobRunner() = default;

bool JobRunner::drain(std::chrono::milliseconds timeout) { return slots_->drain(timeout); }

}  // namespace reel::jobs
