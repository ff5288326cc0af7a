#pragma once

#include <functional>
#include <string>

#include "api.h"
#include "event_feed.h"

namespace reel::http {

/// One server-sent event. `id` may be empty.
std::string sse(std::string_view type, const std::string& data, std::string_view id = {});

/// The events after number `after` of job `id`, or of all jobs if that is "", as `tell` puts each
/// of them. One job's end with the job. Where some are not kept any more, one job's go on with what
/// it is now, and all jobs' with an event `lost`.
Events follow(const Api& api, std::string id, uint64_t after,
              std::function<std::string(const EventFeed::Event&)> tell);

}  // namespace reel::http
