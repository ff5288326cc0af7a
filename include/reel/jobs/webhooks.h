#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "reel/base/metrics.h"
#include "reel/jobs/job_store.h"

namespace reel::jobs {

struct WebhookOptions {
  std::string secret{};     // "whsec_" and 24 to 64 bytes in base64, as Standard Webhooks has it
  std::string url{};        // told of every video; "": only those are told that a request names
  bool public_only = true;  // a request may name public addresses only
  size_t most_waiting = 10'000;                 // events; more are dropped
  std::chrono::milliseconds first_retry{1000};  // then four times as long each, up to an hour
  int tries = 9;
  std::chrono::milliseconds stop_grace{3000};  // for what is due when the server stops
  double timeout_s = 15;                       // of one try
};

/// Tells URLs of videos that have ended: `video.completed` and `video.failed` as OpenAI words them,
/// signed as Standard Webhooks says. On a thread of its own: no job ever waits for a receiver.
///
/// An event may come twice (then under the same webhook-id), and is given up after its last try.
class Webhooks {
 public:
  /// The store and the metrics outlive it. Throws Error(InvalidArgument) with param
  /// "webhook-secret" or "webhook-url".
  Webhooks(JobStore& jobs, Metrics& metrics, WebhookOptions options);
  ~Webhooks();

  /// Throws Error(InvalidArgument) with param "webhook_url" unless a request may name `url`.
  void check(const std::string& url) const;

  /// Events that are not delivered yet.
  size_t waiting() const;

 private:
  class Sender;
  std::unique_ptr<Sender> sender_;
};

/// `id`, `timestamp` and `body` as the header webhook-signature has them: "v1,…". `key` is the
/// secret's bytes.
std::string webhook_signature(const std::string& key, const std::string& id,
                              const std::string& timestamp, const std::string& body);

}  // namespace reel::jobs
