#include "dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "error_reply.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/ids.h"
#include "reel/base/log.h"
#include "text.h"

namespace reel::http {
namespace {

constexpr size_t kRequestId = 128;  // characters
constexpr const char* kLoadingRetry = "5";
constexpr const char* kFullRetry = "10";

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kRequestId &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

/// W3C Trace Context: version, trace id, parent id, flags.
bool is_traceparent(std::string_view text) {
  constexpr std::string_view kShape = "00-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
  if (text.size() != kShape.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool good = kShape[i] == 'h' ? is_digit(c) || (c >= 'a' && c <= 'f') : c == kShape[i];
    if (!good) return false;
  }
  return text.substr(3, 32).find_first_not_of('0') != text.npos &&
         text.substr(36, 16).find_first_not_of('0') != text.npos;
}

/// The reply to what `work` throws, if it does.
template <class Work>
std::optional<Reply> fault_of(const Work& work) {
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    return error_reply(error);
  } catch (const std::exception& fault) {
    log::error("http.handler_failed", {{"why", fault.what()}});
    return error_reply(500, "internal error");
  }
}

std::function<void()> unthrowing(std::function<void()> work) {
  return [work = std::move(work)] { fault_of(work); };
}

// Formatting it for every reply would take a tenth of a poll.
const std::string& now_as_date() {
  thread_local int64_t second = 0;
  thread_local std::string date;
  if (const int64_t now = unix_seconds(); now != second) {
    second = now;
    date = http_date(now);
  }
  return date;
}

void say_when_to_retry(Reply& reply) {
  for (const auto& [name, value] : reply.headers) {
    if (name == "Retry-After") return;
  }
  if (reply.status == 429) reply.headers.emplace_back("Retry-After", kFullRetry);
  if (reply.status != 503) return;
  reply.headers.emplace_back("Retry-After", kLoadingRetry);
  reply.headers.emplace_back("x-should-retry", "true");
}

constexpr std::string_view kVideos = "/v1/videos/";

/// What OpenAI's SDKs ask of other models.
bool is_of_other_models(std::string_view path) {
  if (!path.starts_with(kVideos)) return false;
  const auto name = path.substr(kVideos.size(), path.find('/', kVideos.size()) - kVideos.size());
  return name == "characters" || name == "edits" || name == "extensions";
}

/// What was made remains to be had when the model has failed.
bool is_of_jobs(std::string_view path) {
  return path.starts_with("/v1/videos") || path.starts_with("/v1/images/") || path == "/v1/events";
}

// aiperf takes any answer but 5xx for readiness.
bool waits_for_model(std::string_view path) {
  return (path == "/v1" || path.starts_with("/v1/")) && path != "/v1/metrics" &&
         !path.starts_with("/v1/health/");
}

}  // namespace

Dispatcher::Dispatcher(Api& api)
    : api_(api),
      cors_(api.options.cors_origins),
      gate_(api, cors_),
      metrics_(api.services.metrics) {
  add_all_routes(router_, api);
}

Answer Dispatcher::answer(Request& request) const {
  const auto asked = request.header("x-request-id");
  Call call;
  call.id = asked && is_request_id(*asked) ? std::string(*asked) : random_id("req_");
  call.method = request.method;
  call.origin = request.header("origin").value_or("");
  request.id = call.id;
  const auto trace = request.header("traceparent");
  if (trace && is_traceparent(*trace)) call.trace = request.trace = *trace;
  Answer answer;
  if (auto fault = fault_of([&] { answer = route(request, call); })) answer = *std::move(fault);
  if (auto* ready = std::get_if<Ready>(&answer)) {
    finish(*ready, call);
  } else {
    answer = finished_later(std::get<Wait>(std::move(answer)), std::move(call));
  }
  return answer;
}

Answer Dispatcher::route(Request& request, Call& call) const {
  auto match = router_.match(request.method, request.path);
  call.route = match.pattern;
  if (auto refused = gate_.refusal(request, match.access)) return *std::move(refused);
  const auto coding = to_lower(trim(request.header("content-encoding").value_or("")));
  if (!coding.empty() && coding != "identity") {
    throw Error(ErrorCode::Unsupported, "content-encoding: bodies must come uncompressed",
                "content-encoding");
  }
  if (!match.allow.empty()) {
    if (auto reply = cors_.preflight(request, match.allow)) return *std::move(reply);
  }
  if (waits_for_model(request.path)) {
    const gen::State state = api_.services.generator.state();
    if (auto reply = unready(state)) {
      const bool failed = state.phase == gen::State::Phase::Failed;
      const bool asks_for_more = request.method == "POST" && !request.path.ends_with("/cancel");
      if (!failed || asks_for_more || !is_of_jobs(request.path)) return *std::move(reply);
    }
  }
  if (is_of_other_models(request.path)) {
    return error_reply(404, fmt::format("{}: Wan models cannot do that", request.path));
  }
  if (match.route) {
    request.args = std::move(match.args);
    return (*match.route)(request);
  }
  if (match.allow.empty()) {
    return error_reply(404, fmt::format("{} {}: there is no such route", request.method,
                                        request.path.substr(0, 200)));
  }
  Reply reply = request.method == "OPTIONS"
                    ? json_reply(nlohmann::json::object())
                    : error_reply(405, fmt::format("{}: expected {}, got {}", match.pattern,
                                                   match.allow, request.method));
  reply.headers.emplace_back("Allow", match.allow);
  return reply;
}

Wait Dispatcher::finished_later(Wait wait, Call call) const {
  wait.poll = [this, call = std::move(call), poll = std::move(wait.poll)] {
    std::optional<Ready> ready;
    if (auto fault = fault_of([&] { ready = poll(); })) ready = *std::move(fault);
    if (ready) finish(*ready, call);
    return ready;
  };
  wait.gone = unthrowing(std::move(wait.gone));
  return wait;
}

bool Dispatcher::is_quick(const Head& head) {
  const std::string_view target = head.target;
  return head.method == "GET" && !head.has_body() && target.starts_with(kVideos) &&
         target.size() > kVideos.size() &&
         target.find_first_of("/?%", kVideos.size()) == target.npos;
}

bool Dispatcher::wants_body(const Head& head) const {
  if (head.target.find('%') != head.target.npos) return true;  // to be decoded
  Request request;
  request.method = head.method;
  request.path = head.target.substr(0, head.target.find('?'));
  request.headers = head.headers;
  const auto match = router_.match(request.method, request.path);
  return match.route != nullptr && !gate_.refusal(request, match.access);
}

Reply Dispatcher::refuse(int status, const std::string& message) const {
  Reply reply = error_reply(status, message);
  Call call;
  call.id = random_id("req_");
  finish(reply, call);
  return reply;
}

void Dispatcher::finish(Ready& ready, const Call& call) const {
  finish(head_of(ready), call);
  auto* events = std::get_if<Events>(&ready);
  if (events == nullptr) return;
  events->next = [next = std::move(events->next)](bool& last) {
    std::string text;
    if (fault_of([&] { text = next(last); })) last = true;
    return text;
  };
  events->gone = unthrowing(std::move(events->gone));
}

void Dispatcher::finish(Reply& reply, const Call& call) const {
  say_when_to_retry(reply);
  cors_.open(reply, call.origin);
  reply.headers.emplace_back("Date", now_as_date());
  reply.headers.emplace_back("x-request-id", call.id);
  if (!call.trace.empty()) reply.headers.emplace_back("traceparent", call.trace);
  reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
  const std::string app = fmt::format("app;dur={:.1f}", call.time.milliseconds());
  const auto timing = std::find_if(reply.headers.begin(), reply.headers.end(),
                                   [](const auto& header) { return header.first == kTiming; });
  if (timing == reply.headers.end()) {
    reply.headers.emplace_back(kTiming, app);
  } else {
    timing->second += ", " + app;
  }
  const std::string route = call.route.empty() ? "other" : call.route;
  metrics_.answered(route, reply.status, call.time.seconds());
  if (log::shows(log::Level::Debug)) {
    log::debug("http.request", {{"method", call.method},
                                {"route", route},
                                {"status", reply.status},
                                {"ms", call.time.milliseconds()},
                                {"request", call.id},
                                {"trace", call.trace}});
  }
}

}  // namespace reel::http
