#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "api.h"
#include "reel/jobs/job_store.h"

namespace reel::http {

/// The key of a submit that must be one job however often it is sent, from Idempotency-Key.
/// Throws Error(InvalidArgument) for a key of more than 255 bytes.
std::optional<jobs::Idempotency> idempotency_of(const Request& request,
                                                const nlohmann::json& fields);

/// Takes a job into the queue; a key that came with another request is a 422.
std::variant<jobs::Submitted, Reply> submit(const Api& api, jobs::JobSpec spec,
                                            const std::optional<jobs::Idempotency>& idempotency);

/// Waits for the job: `done` makes the answer when it is completed, a failed one is a 500, one that
/// takes longer than Options::sync_wait is cancelled and a 504. A client that hangs up cancels its
/// job, unless it was another's before.
Wait wait_for(const Api& api, const jobs::Submitted& submitted,
              std::function<Ready(const jobs::Job&)> done);

}  // namespace reel::http
