#include "request_metrics.h"

namespace reel::http {

void RequestMetrics::answered(const std::string& route, int status, double seconds) {
  const std::lock_guard lock(mutex_);
  auto at = routes_.find(route);
  if (at == routes_.end()) {
    const auto duration =
        metrics_.histogram("serve_http_request_duration_seconds",
                           "From a whole request to its reply", {{"route", route}});
    at = routes_.emplace(route, Route{duration}).first;
  }
  auto& [duration, replies] = at->second;
  auto reply = replies.find(status);
  if (reply == replies.end()) {
    const auto counter =
        metrics_.counter("serve_http_requests_total", "HTTP requests answered, by route and status",
                         {{"route", route}, {"code", std::to_string(status)}});
    reply = replies.emplace(status, counter).first;
  }
  reply->second.add();
  duration.observe(seconds);
}

}  // namespace reel::http
