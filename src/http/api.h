#pragma once

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "event_feed.h"
#include "message.h"
#include "reel/http/server.h"
#include "router.h"

namespace reel::http {

/// What the handlers share. One server's own.
struct Api {
  Api(Options chosen, Services given)
      : options(std::move(chosen)), services(given), events(given.jobs) {}

  const Options options;
  const Services services;
  const EventFeed events;
  std::atomic<bool> draining{false};

  /// Throws Error(Unavailable) if new jobs are not taken now.
  void require_open() const;

  /// "http://host:port" as this client reaches us, without a slash.
  std::string base_url(const Request& request) const;

  /// Names each unknown request field once in the log.
  void note_unknown(const std::vector<std::string>& fields);

 private:
  std::mutex mutex_;
  std::set<std::string> noted_;
};

/// What this model takes and makes, its defaults and limits.
nlohmann::json capabilities_json(const gen::Description& model);

Reply json_reply(const nlohmann::json& body);

void add_all_routes(Router& router, Api& api);

// One family of routes a file.
void add_video_routes(Router& router, Api& api);
void add_event_routes(Router& router, const Api& api);
void add_image_routes(Router& router, Api& api);
void add_model_routes(Router& router, const Api& api);
void add_health_routes(Router& router, const Api& api);

}  // namespace reel::http
