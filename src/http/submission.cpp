#include "submission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "error_reply.h"
#include "form.h"
#include "reel/base/clock.h"
#include "reel/base/digest.h"
#include "reel/base/error.h"
#include "reel/base/log.h"
#include "reel/gen/request_json.h"

namespace reel::http {
namespace {

using nlohmann::json;

constexpr size_t kKey = 255;  // bytes

/// What means the same, the same: texts of numbers and truths as such (a form has no others), whole
/// numbers without a fraction, nothing for null.
json canonical(json value) {
  constexpr size_t kLongest = 40;  // of such a text
  if (value.is_string() && value.get_ref<const std::string&>().size() <= kLongest) {
    json meant = json::parse(value.get_ref<const std::string&>(), nullptr, false);
    if (meant.is_number() || meant.is_boolean()) value = std::move(meant);
  }
  if (value.is_number_float()) {
    const auto number = value.get<double>();
    if (std::abs(number) < 1e15 && number == std::floor(number)) return int64_t(number);
  }
  if (!value.is_structured()) return value;
  if (value.is_array()) {
    for (json& element : value) element = canonical(std::move(element));
  } else {
    for (auto& [name, member] : value.items()) {
      if (!is_text_field(name)) member = canonical(std::move(member));
    }
    std::erase_if(value.get_ref<json::object_t&>(),
                  [](const auto& member) { return member.second.is_null(); });
  }
  return value;
}

/// Not 409: SDKs send that again.
Reply reused(const Error& error) {
  return error_reply(422, error.what(), "idempotency-key", "idempotency_key_reused");
}

/// SDKs wait no longer than a minute.
Reply full_reply(const Error& error, const Api& api, const std::string& owner) {
  Reply reply = error_reply(error);
  if (const auto seconds = api.services.jobs.seconds_to_room(owner)) {
    reply.headers.emplace_back("Retry-After",
                               fmt::format("{:.0f}", std::clamp(std::ceil(*seconds), 1.0, 60.0)));
  }
  return reply;
}

}  // namespace

std::optional<jobs::Idempotency> idempotency_of(const Request& request, const json& fields) {
  const auto key = request.header("idempotency-key");
  if (!key || key->empty()) return std::nullopt;
  require(key->size() <= kKey, fmt::format("idempotency-key: longer than {} bytes", kKey),
          "idempotency-key");
  return jobs::Idempotency{fmt::format("{} {} {}", request.owner.value_or(""), request.path, *key),
                           encode_hex(sha256(canonical(gen::without_wrappers(fields)).dump()))};
}

const std::string& checked_webhook(const std::string& url, const Api& api) {
  if (url.empty()) return url;
  require(api.services.webhooks != nullptr,
          "webhook_url: this server sends none; --webhook-secret lets it", "webhook_url");
  api.services.webhooks->check(url);
  return url;
}

std::variant<jobs::Submitted, Reply> submit(const Request& request, const Api& api,
                                            jobs::JobSpec spec,
                                            const std::optional<jobs::Idempotency>& idempotency) {
  spec.owner = request.owner.value_or("");
  const std::string owner = spec.owner;
  try {
    auto submitted = api.services.jobs.submit(std::move(spec), idempotency);
    log::info("job.submitted", {{"job", submitted.job.id},
                                {"request", request.id},
                                {"owner", submitted.job.spec->owner},
                                {"trace", request.trace},
                                {"replayed", submitted.replayed}});
    return submitted;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::QueueFull) {
      full_queue_rejections(api).add();
      return full_reply(error, api, owner);
    }
    if (error.code() != ErrorCode::Conflict) throw;
    return reused(error);
  }
}

std::optional<std::variant<jobs::Submitted, Reply>> replayed(
    const Api& api, const std::optional<jobs::Idempotency>& idempotency) try {
  if (!idempotency) return std::nullopt;
  return api.services.jobs.replayed(*idempotency);
} catch (const Error& error) {
  if (error.code() != ErrorCode::Conflict) throw;
  return reused(error);
}

Counter full_queue_rejections(const Api& api) {
  return api.services.metrics.counter("serve_rejected_total", "Jobs not taken",
                                      {{"reason", "queue_full"}});
}

std::function<void()> gone_of(const Api& api, const jobs::Submitted& submitted) {
  if (submitted.keyed) return [] {};
  return [&api, id = submitted.job.id] { api.services.jobs.cancel(id, "its client went away"); };
}

Wait wait_for(const Api& api, const jobs::Submitted& submitted,
              std::function<Ready(const jobs::Job&)> done) {
  const auto answer = [&api, id = submitted.job.id, keyed = submitted.keyed, done = std::move(done),
                       waited = Stopwatch()]() -> std::optional<Ready> {
    const jobs::Job job = api.services.jobs.get(id);
    if (job.result) return done(job);
    if (job.error && api.draining) return error_reply(503, job.error->message, {}, "unavailable");
    const int status = job.error && job.error->code == "timeout" ? 504 : 500;
    if (job.error) return error_reply(status, job.error->message, {}, job.error->code);
    const auto longest = api.options.sync_wait.count();
    if (waited.seconds() < static_cast<double>(longest)) return std::nullopt;
    if (!keyed) api.services.jobs.cancel(id, "it took too long");
    return error_reply(504, fmt::format("{}: it was not ready after {} s", id, longest), {},
                       "timeout");
  };
  Wait wait;
  wait.poll = [answer, replayed = submitted.replayed] {
    auto ready = answer();
    if (ready && replayed) head_of(*ready).headers.push_back(kReplayed);
    return ready;
  };
  wait.gone = gone_of(api, submitted);
  return wait;
}

}  // namespace reel::http
