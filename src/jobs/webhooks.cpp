#include "reel/jobs/webhooks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "reel/base/clock.h"
#include "reel/base/digest.h"
#include "reel/base/ids.h"
#include "reel/base/log.h"
#include "reel/net/address.h"
#include "reel/net/transfers.h"

namespace reel::jobs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kAtOnce = 64;
constexpr std::chrono::milliseconds kLongestRetry{3600 * 1000};
constexpr int kGone = 410;  // the receiver wants no more of it

std::string key_of(const std::string& secret) {
  constexpr std::string_view kPrefix = "whsec_";
  if (secret.starts_with(kPrefix)) {
    const auto key = decode_base64(std::string_view(secret).substr(kPrefix.size()));
    if (key && key->size() >= 24 && key->size() <= 64) return *key;
  }
  throw Error(ErrorCode::InvalidArgument,
              "webhook-secret: expected whsec_ and 24 to 64 bytes in base64", "webhook-secret");
}

std::string body_of(const Job& job, const std::string& id) {
  nlohmann::json data = {{"id", job.id}};
  if (job.error) data["error"] = {{"code", job.error->code}, {"message", job.error->message}};
  const nlohmann::json event = {{"id", id},
                                {"object", "event"},
                                {"created_at", job.completed_at.value_or(unix_seconds())},
                                {"type", job.result ? "video.completed" : "video.failed"},
                                {"data", std::move(data)}};
  return event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string webhook_signature(const std::string& key, const std::string& id,
                              const std::string& timestamp, const std::string& body) {
  return "v1," + encode_base64(hmac_sha256(key, fmt::format("{}.{}.{}", id, timestamp, body)));
}

class Webhooks::Sender {
 public:
  Sender(JobStore& jobs, Metrics& metrics, WebhookOptions options)
      : options_(std::move(options)),
        key_(key_of(options_.secret)),
        metrics_(metrics),
        waiting_(metrics.gauge("serve_webhooks_waiting", "Events that are not delivered yet")),
        transfers_({.timeout_s = options_.timeout_s}) {
    if (!options_.url.empty()) net::check_url(options_.url, false, "webhook-url");
    watch_ = jobs.watch([this](const Job& job) { note(job); });
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
  }

  ~Sender() {
    watch_.reset();
    thread_.request_stop();
    transfers_.wake();
  }

  const WebhookOptions& options() const { return options_; }

  size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  struct Event {
    std::string id, job, url, body;
    bool public_only = true;
    int tries = 0;
  };

  void note(const Job& job) {
    if (job.spec->kind != Kind::Video || !is_final(job.status)) return;
    if (!options_.url.empty()) add(job, options_.url, false);
    if (!job.spec->webhook_url.empty()) add(job, job.spec->webhook_url, options_.public_only);
  }

  void add(const Job& job, const std::string& url, bool public_only) {
    {
      const std::lock_guard lock(mutex_);
      if (count_ < options_.most_waiting) {
        waiting_.set(static_cast<double>(++count_));
        const std::string id = random_id("evt_");
        news_.push_back({id, job.id, url, body_of(job, id), public_only});
        transfers_.wake();
        return;
      }
    }
    count("dropped");
    log::warning("webhook.dropped", {{"job", job.id}, {"why", "too many events wait"}});
  }

  void run(const std::stop_token& stop) {
    Clock::time_point end = Clock::time_point::max();
    for (;;) {
      const auto now = Clock::now();
      if (stop.stop_requested() && end == Clock::time_point::max()) end = now + options_.stop_grace;
      take_news(now);
      for (auto at = later_.begin();
           at != later_.end() && at->first <= now && under_way_.size() < kAtOnce;
           at = later_.erase(at)) {
        send(std::move(at->second));
      }
      if (stop.stop_requested() && (under_way_.empty() || now >= end)) break;
      for (const auto& outcome : transfers_.wait(until_next(now))) settle(outcome);
    }
    if (!later_.empty() || !under_way_.empty()) {
      log::warning("webhook.left", {{"events", later_.size() + under_way_.size()}});
    }
  }

  void take_news(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    for (Event& event : news_) later_.emplace(now, std::move(event));
    news_.clear();
  }

  std::chrono::milliseconds until_next(Clock::time_point now) const {
    constexpr std::chrono::milliseconds kMost{1000};
    if (later_.empty() || under_way_.size() >= kAtOnce) return kMost;
    return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(later_.begin()->first - now),
                      std::chrono::milliseconds(0), kMost);
  }

  void send(Event event) {
    const std::string timestamp = std::to_string(unix_seconds());
    const uint64_t id = next_++;
    ++event.tries;
    net::Post post{
        event.url,
        {"Content-Type: application/json", "User-Agent: reel/" REEL_VERSION,
         "webhook-id: " + event.id, "webhook-timestamp: " + timestamp,
         "webhook-signature: " + webhook_signature(key_, event.id, timestamp, event.body)},
        event.body,
        event.public_only};
    under_way_.emplace(id, std::move(event));
    try {
      transfers_.begin(id, std::move(post));
    } catch (const Error& error) {
      settle({id, 0, error.what()});
    }
  }

  void settle(const net::Transfers::Outcome& outcome) {
    Event event = std::move(under_way_.extract(outcome.id).mapped());
    if (outcome.status >= 200 && outcome.status < 300) return end(event, "delivered");
    const std::string why =
        outcome.status == 0 ? outcome.fault : fmt::format("HTTP {}", outcome.status);
    const bool last = event.tries >= options_.tries || outcome.status == kGone;
    log::warning(last ? "webhook.given_up" : "webhook.failed",
                 {{"event", event.id}, {"job", event.job}, {"try", event.tries}, {"why", why}});
    if (last) return end(event, "given_up");
    count("failed");
    later_.emplace(Clock::now() + pause_after(event.tries), std::move(event));
  }

  /// With jitter, so that what failed together does not come together again.
  std::chrono::milliseconds pause_after(int tries) {
    auto pause = options_.first_retry;
    for (int i = 1; i < tries && pause < kLongestRetry; ++i) pause *= 4;
    const double share = std::uniform_real_distribution(0.75, 1.25)(random_);
    return std::chrono::milliseconds(
        static_cast<int64_t>(static_cast<double>(std::min(pause, kLongestRetry).count()) * share));
  }

  void end(const Event& event, const char* how) {
    count(how);
    log::debug("webhook.ended", {{"event", event.id}, {"job", event.job}, {"how", how}});
    const std::lock_guard lock(mutex_);
    waiting_.set(static_cast<double>(--count_));
  }

  void count(const char* result) {
    metrics_
        .counter("serve_webhook_deliveries_total", "Tries to tell a URL of a video, by result",
                 {{"result", result}})
        .add();
  }

  const WebhookOptions options_;
  const std::string key_;
  Metrics& metrics_;
  const Gauge waiting_;

  mutable std::mutex mutex_;  // guards `news_` and `count_`
  std::vector<Event> news_;
  size_t count_ = 0;

  // The thread's own.
  net::Transfers transfers_;
  std::multimap<Clock::time_point, Event> later_;
  std::map<uint64_t, Event> under_way_;
  uint64_t next_ = 0;
  std::minstd_rand random_{random_seed()};

  std::unique_ptr<JobStore::Watch> watch_;
  std::jthread thread_;  // ends first
};

Webhooks::Webhooks(JobStore& jobs, Metrics& metrics, WebhookOptions options)
    : sender_(std::make_unique<Sender>(jobs, metrics, std::move(options))) {}

Webhooks::~Webhooks() = default;

void Webhooks::check(const std::string& url) const {
  net::check_url(url, sender_->options().public_only, "webhook_url");
}

size_t Webhooks::waiting() const { return sender_->waiting(); }

}  // namespace reel::jobs
