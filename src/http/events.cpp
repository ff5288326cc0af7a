#include <fmt/format.h>

#include <utility>

#include "api.h"
#include "error_reply.h"
#include "follow.h"
#include "job_json.h"
#include "reel/base/digest.h"

namespace reel::http {
namespace {

std::optional<uint64_t> last_seen(const Request& request, const Api& api) {
  return api.events.number_of(request.header("last-event-id").value_or(""));
}

/// Tells of jobs' states, in events that are called as they are; of another's jobs, nothing.
auto states(const Request& request, const Api& api) {
  return [&api, base_url = api.base_url(request),
          owner = request.owner](const EventFeed::Event& event) {
    if (owner && event.job.spec->owner != *owner) return std::string();
    JsonText data = state_text(event.job, api, base_url);
    data.put("type", event.type);
    if (const auto& preview = event.job.progress.preview) {
      data.put("preview", fmt::format("data:image/{};base64,{}", name_of(preview->format),
                                      encode_base64(preview->bytes)));
    }
    return sse(event.type, std::move(data).take(), api.events.name_of(event.number));
  };
}

/// Ends with the key that they were asked for with.
Events while_known(const Request& request, const Api& api, Events events) {
  if (!request.owner) return events;
  events.next = [&api, owner = *request.owner, next = std::move(events.next)](bool& last) {
    if (api.keys()->has(owner)) return next(last);
    last = true;
    return std::string();
  };
  return events;
}

Answer one_job(const Request& request, const Api& api) {
  const jobs::Job job = find_job(request, api, jobs::Kind::Video);
  const auto seen = last_seen(request, api);
  uint64_t at = seen.value_or(0);
  bool lost = false;
  if (seen && jobs::is_final(job.status) && !api.events.next(at, job.id, &lost) && !lost) {
    Reply reply;
    reply.status = 204;  // a browser would come back for ever
    return reply;
  }
  return while_known(request, api, follow(api, job.id, seen.value_or(0), states(request, api)));
}

Answer all_jobs(const Request& request, const Api& api) {
  const uint64_t seen = last_seen(request, api).value_or(api.events.newest());
  return while_known(request, api, follow(api, "", seen, states(request, api)));
}

}  // namespace

void add_event_routes(Router& router, const Api& api) {
  router.add("GET", "/v1/videos/{id}/events",
             [&api](Request& request) { return one_job(request, api); });
  router.add("GET", "/v1/events", [&api](Request& request) { return all_jobs(request, api); });
}

}  // namespace reel::http
