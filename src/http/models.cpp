#include <fmt/format.h>

#include "api.h"
#include "error_reply.h"
#include "openapi.h"
#include "reel/base/clock.h"

namespace reel::http {
namespace {

using nlohmann::json;

json model_card(const gen::Description& model, int64_t created) {
  return {{"id", model.model},
          {"object", "model"},
          {"created", created},
          {"owned_by", "reel"},
          {"root", model.model},
          {"parent", nullptr},
          {"max_model_len", nullptr},
          {"num_gpus", model.num_gpus},
          {"task_type", model.task},
          {"dit_precision", model.dit_precision},
          {"vae_precision", model.vae_precision},
          {"pipeline_name", model.pipeline},
          {"pipeline_class", model.pipeline}};
}

json model_info(const gen::Description& model) {
  return {{"model_path", model.model_path},
          {"is_generation", true},
          {"model_type", "diffusion"},
          {"architectures", json::array({model.pipeline})},
          {"has_image_understanding", model.task != "T2V"},
          {"has_audio_understanding", false},
          {"task_type", model.task},
          {"is_image_gen", false}};
}

json stats(const Api& api, const Stopwatch& up) {
  const auto counts = [&](jobs::Kind kind) -> json {
    const jobs::Counts all = api.services.jobs.counts(kind);
    return {{"queued", all.queued}, {"in_progress", all.in_progress}};
  };
  const jobs::StoreState state = api.services.jobs.state();
  const jobs::Webhooks* const webhooks = api.services.webhooks;
  static constexpr const char* kStatus[] = {"loading", "ok", "failed"};  // as gen::State::Phase
  const auto phase = static_cast<size_t>(api.services.generator.state().phase);
  return {{"status", kStatus[phase]},
          {"model_path", api.services.generator.describe().model_path},
          {"uptime_s", up.seconds()},
          {"jobs", {{"video", counts(jobs::Kind::Video)}, {"image", counts(jobs::Kind::Image)}}},
          {"queue", {{"oldest_s", state.oldest_seconds}, {"preemptions", state.preemptions}}},
          {"webhooks", {{"waiting", webhooks == nullptr ? 0 : webhooks->waiting()}}},
          {"disagg", {{"role", "monolithic"}, {"message", "not in disagg mode"}}}};
}

}  // namespace

void add_model_routes(Router& router, const Api& api) {
  const gen::Description& model = api.services.generator.describe();
  const int64_t created = unix_seconds();
  for (const char* path : {"/v1/models", "/models"}) {
    router.add("GET", path, [&model, created](Request&) -> Answer {
      return json_reply({{"object", "list"}, {"data", json::array({model_card(model, created)})}});
    });
  }
  router.add("GET", "/v1/models/{model*}", [&model, created](Request& request) -> Answer {
    if (request.args[0] == model.model) return json_reply(model_card(model, created));
    return error_reply(404, fmt::format("The model '{}' does not exist", request.args[0]), "model",
                       "model_not_found");
  });
  router.add("GET", "/v1/model_info", [&model](Request&) -> Answer {
    return json_reply({{"model_path", model.model_path}});
  });
  router.add("GET", "/model_info",
             [&model](Request&) -> Answer { return json_reply(model_info(model)); });
  router.add("GET", "/server_info", [&model](Request&) -> Answer {
    return json_reply({{"model_path", model.model_path},
                       {"served_model_name", model.model},
                       {"tp_size", 1},
                       {"dp_size", 1},
                       {"version", REEL_VERSION}});
  });
  for (const char* path : {"/", "/v1"}) {
    router.add("GET", path, [&model](Request&) -> Answer {
      return json_reply({{"name", "reel"}, {"version", REEL_VERSION}, {"model", model.model}});
    });
  }
  router.add("GET", "/v1/capabilities", [&model, &api](Request&) -> Answer {
    return json_reply(capabilities_json(model, api.services.webhooks != nullptr));
  });
  router.add("GET", "/stats",
             [&api, up = Stopwatch()](Request&) -> Answer { return json_reply(stats(api, up)); });
  router.add("GET", "/openapi.json", [](Request&) -> Answer {
    Reply reply;
    reply.body = kOpenApi;
    return reply;
  });
  router.add("GET", "/version", [](Request&) -> Answer {
    return json_reply({{"version", REEL_VERSION}});
  });
}

}  // namespace reel::http
