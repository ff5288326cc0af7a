#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "event_feed.h"
#include "json_text.h"
#include "message.h"
#include "reel/http/server.h"
#include "router.h"
#include "url_signer.h"

namespace reel::http {

/// What the handlers share. One server's own.
struct Api {
  Api(Options chosen, Services given, ApiKeys taken = {})
      : options(std::move(chosen)),
        services(given),
        events(given.jobs),
        keys_(std::make_shared<const ApiKeys>(std::move(taken))) {}

  const Options options;
  const Services services;
  const EventFeed events;
  const UrlSigner signer;
  std::atomic<bool> draining{false};
  std::atomic<int> port{0};  // that is listened on

  /// Throws Error(Unavailable) if new jobs are not taken now.
  void require_open() const;

  /// "http://host:port" or "https://host:port" as this client reaches us, without a slash.
  std::string base_url(const Request& request) const;

  /// Where the content of a completed job is, under a base_url(); signed, if keys are asked for.
  std::string content_url(const std::string& base_url, const jobs::Job& job,
                          const std::string& variant = {}) const;

  /// The keys that are taken now; none: everybody may come.
  std::shared_ptr<const ApiKeys> keys() const;
  void use(ApiKeys keys);

  /// Names each unknown request field once in the log.
  void note_unknown(const std::vector<std::string>& fields);

 private:
  mutable std::mutex mutex_;  // guards the keys
  std::shared_ptr<const ApiKeys> keys_;
  std::mutex noted_mutex_;  // guards what follows
  std::set<std::string> noted_;
};

/// What this model takes and makes, its defaults and limits.
nlohmann::json capabilities_json(const gen::Description& model, bool webhooks);

Reply json_reply(const nlohmann::json& body);
Reply json_reply(JsonText body);

/// Why there is no model yet, or no longer, as a 503; nothing when it is ready.
std::optional<Reply> unready(const gen::State& state);

void add_all_routes(Router& router, Api& api);

// One family of routes a file.
void add_video_routes(Router& router, Api& api);
void add_event_routes(Router& router, const Api& api);
void add_image_routes(Router& router, Api& api);
void add_model_routes(Router& router, const Api& api);
void add_health_routes(Router& router, const Api& api);

}  // namespace reel::http
