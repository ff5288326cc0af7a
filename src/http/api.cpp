#include "api.h"

#include <fmt/format.h>

#include "error_reply.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::http {
namespace {

constexpr int64_t kUrlStep = 300;   // seconds in which a job has one URL
constexpr size_t kNoted = 1000;     // names are the clients' to choose
constexpr size_t kNotedBytes = 80;  // of each

}  // namespace

void Api::require_open() const {
  if (draining) {
    throw Error(ErrorCode::Unavailable, "server: it is shutting down and takes no new jobs");
  }
  const gen::State state = services.generator.state();
  if (state.phase == gen::State::Phase::Failed) {
    throw Error(ErrorCode::Unavailable, fmt::format("model: it failed: {}", state.why));
  }
}

std::string Api::base_url(const Request& request) const {
  if (!options.public_url.empty()) {
    const size_t end = options.public_url.find_last_not_of('/');
    return options.public_url.substr(0, end + 1);
  }
  const std::string scheme = options.certificate ? "https" : "http";
  const auto host = request.header("host");
  return host ? fmt::format("{}://{}", scheme, *host)
              : fmt::format("{}://localhost:{}", scheme, port.load());
}

std::string Api::content_url(const std::string& base_url, const jobs::Job& job,
                             const std::string& variant) const {
  const auto path = fmt::format("/v1/{}s/{}/content", jobs::name(job.spec->kind), job.id);
  std::string query = variant.empty() ? "" : "variant=" + variant;
  if (!keys()->empty()) {
    const int64_t step = unix_seconds() / kUrlStep * kUrlStep + kUrlStep;
    if (!query.empty()) query += '&';
    query += signer.query(path, step + options.url_life.count());
  }
  return fmt::format("{}{}{}{}", base_url, path, query.empty() ? "" : "?", query);
}

std::shared_ptr<const ApiKeys> Api::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void Api::use(ApiKeys keys) {
  auto taken = std::make_shared<const ApiKeys>(std::move(keys));
  const std::lock_guard lock(mutex_);
  keys_ = std::move(taken);
}

void Api::note_unknown(const std::vector<std::string>& fields) {
  for (const std::string& field : fields) {
    const std::string name = field.substr(0, kNotedBytes);
    {
      const std::lock_guard lock(noted_mutex_);
      if (noted_.size() >= kNoted || !noted_.insert(name).second) continue;
    }
    log::warning("request.unknown_field", {{"field", name}});
  }
}

std::optional<Reply> unready(const gen::State& state) {
  switch (state.phase) {
    case gen::State::Phase::Ready:
      return std::nullopt;
    case gen::State::Phase::Loading:
      return error_reply(
          503, fmt::format("model: loading {}, {:.0f} %", state.stage, state.fraction * 100), {},
          "model_loading");
    case gen::State::Phase::Failed:
      break;
  }
  return error_reply(503, fmt::format("model: it failed: {}", state.why), {}, "model_failed");
}

void add_all_routes(Router& router, Api& api) {
  add_video_routes(router, api);
  add_event_routes(router, api);
  add_image_routes(router, api);
  add_model_routes(router, api);
  add_health_routes(router, api);
}

Reply json_reply(const nlohmann::json& body) {
  Reply reply;
  reply.body = dumped(body);
  return reply;
}

Reply json_reply(JsonText body) {
  Reply reply;
  reply.body = std::move(body).take();
  return reply;
}

}  // namespace reel::http
