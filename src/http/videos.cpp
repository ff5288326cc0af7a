#include <fmt/format.h>

#include <charconv>

#include "api.h"
#include "content.h"
#include "error_reply.h"
#include "form.h"
#include "inputs.h"
#include "job_json.h"
#include "reel/base/error.h"
#include "reel/gen/request_json.h"
#include "reel/gen/resolve.h"
#include "submission.h"

namespace reel::http {
namespace {

using nlohmann::json;

constexpr size_t kPage = 4 << 20;  // bytes of a list, after which the rest is another page

/// Where a completed job's time went, in milliseconds.
std::string timing_of(const jobs::Job& job) {
  const jobs::StageSeconds& stages = job.result->stages;
  return fmt::format(
      "text_encode;dur={:.1f}, image_encode;dur={:.1f}, vae_encode;dur={:.1f}, denoise;dur={:.1f}, "
      "vae_decode;dur={:.1f}",
      stages.text_encode * 1e3, stages.image_encode * 1e3, stages.vae_encode * 1e3,
      stages.denoise * 1e3, stages.vae_decode * 1e3);
}

Reply video_reply(const Request& request, const Api& api, const jobs::Job& job) {
  Reply reply = json_reply(video_text(job, api, api.base_url(request)));
  if (!jobs::is_final(job.status)) {
    reply.headers.emplace_back("openai-poll-after-ms", std::to_string(poll_after_ms(job)));
  }
  if (job.result) reply.headers.emplace_back(kTiming, timing_of(job));
  return reply;
}

using Go = std::function<Answer(const Request&, std::variant<jobs::Submitted, Reply>)>;

/// Goes on with the job that `request` asks for, once it is submitted.
Answer submit_video(Request& request, Api& api, Go go, const jobs::JobSpec& defaults = {}) {
  api.require_open();
  const json fields = read_fields(request);
  auto parsed = gen::parse_video_request(fields);
  auto idempotency = idempotency_of(request, fields);
  api.note_unknown(parsed.unknown);
  if (auto known = replayed(api, idempotency)) return go(request, *std::move(known));
  jobs::JobSpec spec = defaults;
  if (!parsed.model.empty()) spec.model = std::move(parsed.model);
  if (spec.remixed_from) parsed.request = gen::remixed(parsed.request, spec.request);
  spec.quality = parsed.request.quality.value_or(spec.quality);
  spec.priority = parsed.priority;
  spec.timeout_s = parsed.timeout_s;
  spec.webhook_url = checked_webhook(parsed.webhook_url, api);
  if (!parsed.request.preview_steps) parsed.request.preview_steps = api.options.preview_steps;
  api.services.generator.check(parsed.request);  // before anything is fetched
  gen::Inputs inputs = std::exchange(parsed.request.inputs, {});
  return with_inputs(
      request, api, std::move(inputs),
      [&api, go = std::move(go), spec, asked = std::move(parsed.request),
       idempotency = std::move(idempotency)](const Request& from, gen::Inputs loaded) mutable {
        asked.inputs = std::move(loaded);
        spec.request = api.services.generator.check(asked);
        return go(from, submit(from, api, std::move(spec), idempotency));
      });
}

Reply created(const Request& request, const Api& api,
              std::variant<jobs::Submitted, Reply> submitted) {
  if (auto* refused = std::get_if<Reply>(&submitted)) return std::move(*refused);
  const auto& taken = std::get<jobs::Submitted>(submitted);
  Reply reply = video_reply(request, api, taken.job);
  if (taken.replayed) reply.headers.push_back(kReplayed);
  return reply;
}

Answer create(Request& request, Api& api, const jobs::JobSpec& defaults = {}) {
  const auto go = [&api](const Request& from, std::variant<jobs::Submitted, Reply> submitted) {
    return created(from, api, std::move(submitted));
  };
  return submit_video(request, api, go, defaults);
}

Answer remix(Request& request, Api& api) {
  const jobs::Job source = find_job(request, api, jobs::Kind::Video);
  jobs::JobSpec spec = *source.spec;
  spec.remixed_from = source.id;
  return create(request, api, spec);
}

/// The file itself, once it is there; what else is to be known of it in headers.
Answer wait_for_file(const Request& request, const Api& api,
                     std::variant<jobs::Submitted, Reply> submitted) {
  if (auto* refused = std::get_if<Reply>(&submitted)) return std::move(*refused);
  const auto done = [&api, id = request.id](const jobs::Job& job) {
    Request plain;
    plain.method = "POST";
    Ready ready =
        content_reply(plain, api.services.blobs, job, output_of(job, "").blob, "video/mp4");
    auto& headers = std::get<File>(ready).head.headers;
    headers.emplace_back("X-Video-Id", job.id);
    headers.emplace_back(kTiming, timing_of(job));
    headers.emplace_back("X-Inference-Time-S", fmt::format("{:.3f}", job.result->inference_time_s));
    if (const auto peak = job.result->peak_memory_mb) {
      headers.emplace_back("X-Peak-Memory-MB", fmt::format("{:.0f}", *peak));
    }
    return ready;
  };
  return wait_for(api, std::get<jobs::Submitted>(submitted), done);
}

Answer list(const Request& request, const Api& api) {
  jobs::ListQuery query;
  query.after = request.param("after");
  query.owner = request.owner;
  const std::string order = request.param("order", "desc"), limit = request.param("limit", "20");
  require(order == "asc" || order == "desc",
          fmt::format("order: expected asc or desc, got '{}'", order.substr(0, 80)), "order");
  query.newest_first = order == "desc";
  const char* const end = limit.data() + limit.size();
  const auto [stop, fault] = std::from_chars(limit.data(), end, query.limit);
  require(fault == std::errc{} && stop == end && query.limit >= 1 && query.limit <= 100,
          fmt::format("limit: expected 1 to 100, got '{}'", limit.substr(0, 80)), "limit");
  jobs::Page page = api.services.jobs.list(query);
  const std::string base_url = api.base_url(request);
  std::string data;
  size_t told = 0;
  for (; told < page.jobs.size() && data.size() < kPage; ++told) {
    data += (data.empty() ? "" : ",") + video_text(page.jobs[told], api, base_url).take();
  }
  page.has_more |= told < page.jobs.size();
  page.jobs.resize(told);
  using Id = std::optional<std::string>;
  JsonText text;
  text.put("object", "list");
  text.put("has_more", page.has_more);
  text.put("first_id", page.jobs.empty() ? Id() : page.jobs.front().id);
  text.put("last_id", page.jobs.empty() ? Id() : page.jobs.back().id);
  text.put_text("data", "[" + data + "]");
  return json_reply(std::move(text));
}

Answer content(const Request& request, const Api& api) {
  const jobs::Job job = find_job(request, api, jobs::Kind::Video);
  if (!job.result) return not_ready(job);
  const std::string variant = request.param("variant");
  std::string name, type;
  if (variant == "thumbnail") {
    name = output_of(job, "").thumbnail;
    type = "image/webp";
  } else if (variant == "spritesheet") {
    name = output_of(job, "").spritesheet;
    type = "image/jpeg";
  } else {
    name = output_of(job, variant).blob;
    type = "video/mp4";
  }
  return content_reply(request, api.services.blobs, job, name, type);
}

Answer remove(const Request& request, const Api& api) {
  find_job(request, api, jobs::Kind::Video);
  const jobs::Job job = api.services.jobs.remove(request.args[0]);
  json body = json::parse(video_text(job, api, api.base_url(request)).take());
  if (job.result) jobs::remove_files(api.services.blobs, job.result->outputs);
  for (const char* key : {"url", "file_path", "file_paths"}) body[key] = nullptr;
  body["object"] = "video.deleted";
  body["deleted"] = true;
  body["status"] = "deleted";
  return json_reply(body);
}

Answer cancel(const Request& request, const Api& api) {
  find_job(request, api, jobs::Kind::Video);
  return video_reply(request, api,
                     api.services.jobs.cancel(request.args[0], "cancelled by the client"));
}

}  // namespace

void add_video_routes(Router& router, Api& api) {
  router.add("POST", "/v1/videos", [&api](Request& request) { return create(request, api); });
  router.add("POST", "/v1/videos/sync", [&api](Request& request) {
    return submit_video(request, api, [&api](const Request& from, auto submitted) {
      return wait_for_file(from, api, std::move(submitted));
    });
  });
  router.add("POST", "/v1/videos/{id}/remix",
             [&api](Request& request) { return remix(request, api); });
  router.add("GET", "/v1/videos", [&api](Request& request) { return list(request, api); });
  router.add("GET", "/v1/videos/{id}", [&api](Request& request) {
    return video_reply(request, api, find_job(request, api, jobs::Kind::Video));
  });
  router.add("DELETE", "/v1/videos/{id}",
             [&api](Request& request) { return remove(request, api); });
  router.add("POST", "/v1/videos/{id}/cancel",
             [&api](Request& request) { return cancel(request, api); });
  router.add(
      "GET", "/v1/videos/{id}/content", [&api](Request& request) { return content(request, api); },
      Access::SignedUrl);
}

}  // namespace reel::http
