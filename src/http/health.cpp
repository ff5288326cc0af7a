#include "api.h"
#include "submission.h"

namespace reel::http {
namespace {

Answer health(const Api& api) {
  if (auto reply = unready(api.services.generator.state())) return *std::move(reply);
  return json_reply({{"status", "ok"}});
}

}  // namespace

void add_health_routes(Router& router, const Api& api) {
  for (const char* path :
       {"/liveness", "/livez", "/healthz", "/ping", "/health/live", "/v1/health/live"}) {
    router.add(
        "GET", path,
        [](Request&) -> Answer {
          return json_reply({{"status", "ok"}});
        },
        Access::Open);
  }
  for (const char* path : {"/health", "/health_generate"}) {
    router.add(
        "GET", path, [&api](Request&) { return health(api); }, Access::Open);
  }
  for (const char* path : {"/readyz", "/health/ready", "/v1/health/ready"}) {
    router.add(
        "GET", path,
        [&api](Request&) {
          if (api.draining) api.require_open();
          return health(api);
        },
        Access::Open);
  }
  full_queue_rejections(api);  // told from the start, so that rates begin at 0
  for (const char* path : {"/metrics", "/v1/metrics"}) {
    router.add(
        "GET", path,
        [&api](Request&) -> Answer {
          Metrics& metrics = api.services.metrics;
          const jobs::StoreState state = api.services.jobs.state();
          metrics
              .gauge("serve_oldest_queued_seconds", "Since the longest waiting job was submitted.")
              .set(state.oldest_seconds);
          metrics.gauge("serve_store_bytes", "Of all jobs' files.")
              .set(static_cast<double>(state.bytes));
          Reply reply;
          reply.body = metrics.text();
          reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
          return reply;
        },
        Access::Open);
  }
}

}  // namespace reel::http
