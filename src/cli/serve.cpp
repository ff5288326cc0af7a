#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "commands.h"
#include "for_flag.h"
#include "generators.h"
#include "reel/base/clock.h"
#include "reel/base/gpu_metrics.h"
#include "reel/base/log.h"
#include "reel/base/metrics.h"
#include "reel/http/server.h"
#include "reel/jobs/input_loader.h"
#include "reel/jobs/job_runner.h"
#include "reel/jobs/media_writer.h"
#include "reel/jobs/retention.h"
#include "reel/jobs/webhooks.h"
#include "reel/store/file_blob_store.h"
#include "reel/store/memory_job_store.h"

namespace reel::cli {
namespace {

using namespace std::chrono_literals;

constexpr int kEngineFailed = 70;        // EX_SOFTWARE: a supervisor starts us again
constexpr auto kSecondsToSayWhy = 10.0;  // /health answers 503 so long
// Then every client has polled once more, and knows of its job, which goes with the process.
constexpr std::chrono::milliseconds kLastPolls = 5s;

/// SIGINT, SIGTERM and SIGHUP: blocked in every thread and waited for here. SIGHUP not under nohup,
/// unless it is `wanted`.
class Signals {
 public:
  explicit Signals(bool wanted) {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM}) sigaddset(&set_, signal);
    struct sigaction hang_up {};
    sigaction(SIGHUP, nullptr, &hang_up);
    if (wanted || hang_up.sa_handler != SIG_IGN) sigaddset(&set_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error like a full disk
  }

  /// The one that arrives, or nothing.
  std::optional<int> arrives_within(std::chrono::milliseconds time) {
    const timespec limit{time.count() / 1000, time.count() % 1000 * 1'000'000};
    const int signal = sigtimedwait(&set_, nullptr, &limit);
    return signal > 0 ? std::optional(signal) : std::nullopt;
  }

  /// From now on the next signal ends the process at once.
  void let_the_next_kill() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }

 private:
  sigset_t set_;
};

/// How many connections there is room for, once this process may open as many files as it can be
/// let: the rest is for what they ask for.
size_t room_for_connections() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur / 4 * 3;
}

http::ApiKeys read_keys(const ServerFlags& s) {
  http::ApiKeys keys;
  if (!s.api_key_file.empty()) {
    keys = for_flag("--api-key-file", [&] { return http::ApiKeys::read(s.api_key_file); });
  }
  if (!s.api_key.empty()) for_flag("--api-key", [&] { keys.add("", s.api_key); });
  return keys;
}

http::Certificate read_certificate(const ServerFlags& s) try {
  return s.tls_cert.empty() ? http::Certificate() : http::Certificate(s.tls_cert, s.tls_key);
} catch (const Error& error) {
  throw Error(error.code(), fmt::format("--{}: {}", error.param(), error.what()), error.param());
}

/// What cannot be read stays as it was.
template <class Read>
void read_again(const char* what, http::Server& server, const Read& read) try {
  server.use(read());
  log::info("server.read_again", {{"what", what}});
} catch (const Error& error) {
  log::error("server.not_read_again", {{"what", what}, {"why", error.what()}});
}

/// Waits for a signal to end, or for the engine to fail; the exit status. SIGHUP is one too, where
/// `reread` has nothing to do.
int run_until_told(Signals& signals, const gen::Generator& generator,
                   const std::function<void()>& reread) {
  std::optional<Stopwatch> failed;
  for (;;) {
    if (const auto signal = signals.arrives_within(200ms)) {
      if (*signal != SIGHUP || !reread) return 0;
      reread();
    }
    if (!failed && generator.state().phase == gen::State::Phase::Failed) failed.emplace();
    if (failed && failed->seconds() > kSecondsToSayWhy) return kEngineFailed;
  }
}

jobs::InputOptions input_options(const ServerFlags& flags) {
  jobs::InputOptions options;
  if (flags.url_fetch == "off") options.reach = net::Reach::Nothing;
  if (flags.url_fetch == "all") options.reach = net::Reach::Everything;
  options.roots.assign(flags.input_roots.begin(), flags.input_roots.end());
  return options;
}

}  // namespace

int serve(const Flags& flags) {
  const auto& s = flags.server;
  const bool rereads = !s.api_key_file.empty() || !s.tls_cert.empty();
  Signals signals(rereads);  // before any thread
  http::ApiKeys keys = read_keys(s);
  http::Options options;
  options.certificate = read_certificate(s);
  Metrics metrics;
  metrics.gauge("serve_build_info", "Of this program", {{"version", REEL_VERSION}}).set(1);
  const GpuMetrics gpus(metrics);
  const std::chrono::seconds ttl(s.job_ttl);
  store::MemoryJobStore jobs(static_cast<size_t>(s.max_queue), ttl,
                             {s.queue_policy, static_cast<size_t>(s.max_queue_per_key)});
  std::optional<jobs::Webhooks> webhooks;
  if (!s.webhook_secret.empty()) {
    jobs::WebhookOptions webhook{.secret = s.webhook_secret, .url = s.webhook_url};
    webhook.public_only = !s.private_webhooks;
    webhooks.emplace(jobs, metrics, std::move(webhook));
  }
  const auto generator = make_generator(flags.model);
  auto blobs = for_flag("--output-path", [&] { return store::FileBlobStore(s.output_path, ttl); });
  jobs::JobRunner runner(jobs, blobs, *generator,
                         jobs::media_writers(generator->describe().model, true), metrics);
  const jobs::Retention retention(jobs, blobs, s.output_quota);
  options.host = s.host;
  options.port = s.port;
  options.max_connections = std::min(options.max_connections, room_for_connections());
  options.strict_ports = s.strict_ports;
  options.public_url = s.public_url;
  options.allowed_hosts = s.allowed_hosts;
  options.cors_origins = s.cors_origins;
  options.preview_steps = s.preview_steps;
  jobs::InputLoader inputs(input_options(s));
  http::Server server(options,
                      {jobs, blobs, *generator, metrics, inputs, webhooks ? &*webhooks : nullptr},
                      std::move(keys));
  server.start();

  std::function<void()> reread;
  if (rereads) {
    reread = [&] {
      if (!s.api_key_file.empty()) read_again("keys", server, [&] { return read_keys(s); });
      if (!s.tls_cert.empty()) {
        read_again("certificate", server, [&] { return read_certificate(s); });
      }
    };
  }
  const int status = run_until_told(signals, *generator, reread);
  signals.let_the_next_kill();
  log::info("server.draining", {{"timeout_s", s.drain_timeout}});
  server.begin_drain();
  const auto [queued, in_progress] = jobs.counts(jobs::Kind::Video);
  const std::chrono::milliseconds longest(static_cast<int64_t>(s.drain_timeout * 1e3));
  runner.drain(longest);
  if (queued + in_progress > 0) std::this_thread::sleep_for(std::min(longest, kLastPolls));
  server.stop();
  log::info("server.stopped", {{"status", status}});
  return status;
}

}  // namespace reel::cli
