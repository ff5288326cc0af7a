#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <variant>

#include "api.h"
#include "reel/jobs/job_store.h"

namespace reel::http {

/// `url`, where the client wants to be told of the job's end; "": nowhere.
/// Throws Error(InvalidArgument) for what may not be.
const std::string& checked_webhook(const std::string& url, const Api& api);

/// The Idempotency-Key of a request with these `fields`, if it has one.
/// Throws Error(InvalidArgument) for a key of more than 255 bytes.
std::optional<jobs::Idempotency> idempotency_of(const Request& request,
                                                const nlohmann::json& fields);

/// Takes the job that `request` asks for into the queue; one with the same Idempotency-Key is the
/// same job, and a key that came with other fields is a 422. A full queue is a 429 that says when
/// there may be room.
std::variant<jobs::Submitted, Reply> submit(const Request& request, const Api& api,
                                            jobs::JobSpec spec,
                                            const std::optional<jobs::Idempotency>& idempotency);

/// What submit() would say to a request under a key that is known; else nothing.
std::optional<std::variant<jobs::Submitted, Reply>> replayed(
    const Api& api, const std::optional<jobs::Idempotency>& idempotency);

/// Jobs that were not taken because the queue was full.
Counter full_queue_rejections(const Api& api);

/// Of the reply to a request that came before, under the same Idempotency-Key.
inline const std::pair<std::string, std::string> kReplayed{"Idempotency-Replayed", "true"};

/// What to do when the client hangs up that waits for the job: cancels it, unless it came under an
/// Idempotency-Key: another may wait for it, or the client come back.
std::function<void()> gone_of(const Api& api, const jobs::Submitted& submitted);

/// Waits for the job: `done` makes the answer when it is completed, a failed one is a 500
/// (503 while the server shuts down, 504 after its timeout), one that
/// takes longer than Options::sync_wait is a 504, and cancelled as by gone_of().
Wait wait_for(const Api& api, const jobs::Submitted& submitted,
              std::function<Ready(const jobs::Job&)> done);

}  // namespace reel::http
