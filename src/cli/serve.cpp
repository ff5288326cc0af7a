#include <pthread.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>

#include "commands.h"
#include "for_flag.h"
#include "generators.h"
#include "reel/base/clock.h"
#include "reel/base/log.h"
#include "reel/base/metrics.h"
#include "reel/http/server.h"
#include "reel/jobs/job_runner.h"
#include "reel/jobs/media_writer.h"
#include "reel/jobs/retention.h"
#include "reel/store/file_blob_store.h"
#include "reel/store/memory_job_store.h"

namespace reel::cli {
namespace {

using namespace std::chrono_literals;

constexpr int kEngineFailed = 70;        // EX_SOFTWARE: a supervisor starts us again
constexpr auto kSecondsToSayWhy = 10.0;  // /health answers 503 so long

/// SIGINT and SIGTERM, blocked in every thread and waited for here.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error like a full disk
  }

  bool arrives_within(std::chrono::milliseconds time) {
    const timespec limit{time.count() / 1000, time.count() % 1000 * 1'000'000};
    return sigtimedwait(&set_, nullptr, &limit) > 0;
  }

  /// From now on the next signal ends the process at once.
  void let_the_next_kill() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }

 private:
  sigset_t set_;
};

/// Waits for a signal, or for the engine to fail; the exit status.
int run_until_told(Signals& signals, const gen::Generator& generator) {
  std::optional<Stopwatch> failed;
  for (;;) {
    if (signals.arrives_within(200ms)) return 0;
    if (!failed && generator.state().phase == gen::State::Phase::Failed) failed.emplace();
    if (failed && failed->seconds() > kSecondsToSayWhy) return kEngineFailed;
  }
}

}  // namespace

int serve(const Flags& flags) {
  Signals signals;  // before any thread
  const auto& s = flags.server;
  const auto generator = make_generator(flags.model);
  Metrics metrics;
  const std::chrono::seconds ttl(s.job_ttl);
  store::MemoryJobStore jobs(static_cast<size_t>(s.max_queue), ttl,
                             {s.queue_policy, static_cast<size_t>(s.max_queue_per_key)});
  auto blobs = for_flag("--output-path", [&] { return store::FileBlobStore(s.output_path, ttl); });
  jobs::JobRunner runner(jobs, blobs, *generator,
                         jobs::media_writers(generator->describe().model, true), metrics);
  const jobs::Retention retention(jobs, blobs, s.output_quota);
  http::Options options;
  options.host = s.host;
  options.port = s.port;
  options.strict_ports = s.strict_ports;
  options.public_url = s.public_url;
  http::Server server(options, {jobs, blobs, *generator, metrics});
  server.start();

  const int status = run_until_told(signals, *generator);
  signals.let_the_next_kill();
  log::info("server.draining", {{"timeout_s", s.drain_timeout}});
  server.begin_drain();
  runner.drain(std::chrono::milliseconds(static_cast<int64_t>(s.drain_timeout * 1e3)));
  server.stop();
  log::info("server.stopped", {{"status", status}});
  return status;
}

}  // namespace reel::cli
