#include <fmt/format.h>

#include <algorithm>

#include "api.h"
#include "content.h"
#include "error_reply.h"
#include "follow.h"
#include "form.h"
#include "inputs.h"
#include "job_json.h"
#include "reel/base/digest.h"
#include "reel/base/error.h"
#include "reel/gen/request_json.h"
#include "submission.h"

namespace reel::http {
namespace {

using nlohmann::json;

/// A job's images, those before they are whole too, as the events that OpenAI's SDKs read.
class ImageEvents {
 public:
  ImageEvents(const Api& api, std::string base_url, std::string family, int partial_images)
      : api_(api),
        base_url_(std::move(base_url)),
        family_(std::move(family)),
        partial_images_(partial_images) {}

  std::string operator()(const EventFeed::Event& event) const {
    const jobs::Job& job = event.job;
    if (jobs::is_final(job.status)) return ending(job);
    const auto& preview = job.progress.preview;
    if (!preview || preview->index >= partial_images_) return {};
    return sse_of("partial_image", job, encode_base64(preview->bytes),
                  {{"partial_image_index", preview->index}});
  }

 private:
  /// The images, or why there are none.
  std::string ending(const jobs::Job& job) const {
    if (job.error) {
      return sse("error", error_reply(500, job.error->message, {}, job.error->code).body);
    }
    const json images = images_json(job, true, api_, base_url_);
    std::string text;
    for (const json& image : images["data"]) {
      text += sse_of("completed", job, image["b64_json"], {{"usage", images["usage"]}});
    }
    return text;
  }

  std::string sse_of(const char* what, const jobs::Job& job, const std::string& base64,
                     const json& more) const {
    const auto type = fmt::format("{}.{}", family_, what);
    json event = {{"type", type},
                  {"b64_json", base64},
                  {"created_at", job.created_at},
                  {"size", size_of(job.spec->request)},
                  {"quality", "high"},
                  {"background", "opaque"},
                  {"output_format", name_of(job.spec->image_format)}};
    event.update(more);
    return sse(type, json_reply(event).body);
  }

  const Api& api_;
  std::string base_url_;
  std::string family_;  // "image_generation", "image_edit"
  int partial_images_;  // of each image
};

Events stream(const jobs::Submitted& submitted, const Api& api, ImageEvents tell) {
  Events events = follow(api, submitted.job.id, 0, std::move(tell));
  events.gone = gone_of(api, submitted);
  return events;
}

struct Asked {
  bool edit;  // an image is what they are made from
  std::optional<jobs::Idempotency> idempotency;
  gen::Parsed<gen::ImageRequest> parsed;
};

/// The images, once they are made.
Answer answer(const Request& request, Api& api, const Asked& asked,
              std::variant<jobs::Submitted, Reply> submitted) {
  if (auto* refused = std::get_if<Reply>(&submitted)) return std::move(*refused);
  const gen::ImageRequest& images = asked.parsed.request;
  if (images.stream) {
    return stream(std::get<jobs::Submitted>(submitted), api,
                  {api, api.base_url(request), asked.edit ? "image_edit" : "image_generation",
                   images.partial_images});
  }
  using Form = gen::ImageRequest::Reply;
  const bool base64 = images.reply.value_or(asked.edit ? Form::Base64 : Form::Url) == Form::Base64;
  return wait_for(api, std::get<jobs::Submitted>(submitted),
                  [&api, base64, base_url = api.base_url(request)](const jobs::Job& job) -> Ready {
                    return json_reply(images_json(job, base64, api, base_url));
                  });
}

/// The images that are asked for, once what they are to be made from is there.
Answer make(const Request& request, Api& api, const Asked& asked, gen::Inputs inputs) {
  gen::ImageRequest images = asked.parsed.request;
  images.still.inputs = std::move(inputs);
  jobs::JobSpec spec;
  spec.kind = jobs::Kind::Image;
  spec.model = asked.parsed.model;
  spec.request = api.services.generator.check(images.still);
  spec.quality = images.still.quality.value_or(75);
  spec.image_format = images.format;
  spec.priority = asked.parsed.priority;
  spec.timeout_s = asked.parsed.timeout_s;
  if (images.stream && images.partial_images > 0) {
    const int steps = spec.request.num_inference_steps / (images.partial_images + 1);
    spec.request.preview_steps = std::max(steps, 1);
  }
  return answer(request, api, asked, submit(request, api, std::move(spec), asked.idempotency));
}

Answer generate(Request& request, Api& api, bool edit) {
  api.require_open();
  const auto asked = std::make_shared<Asked>();
  asked->edit = edit;
  const json fields = read_fields(request);
  asked->parsed = gen::parse_image_request(fields);
  asked->idempotency = idempotency_of(request, fields);
  api.note_unknown(asked->parsed.unknown);
  require(asked->parsed.webhook_url.empty(), "webhook_url: only videos have webhooks",
          "webhook_url");
  gen::ImageRequest& images = asked->parsed.request;
  require(!edit || images.still.inputs.image, "image: expected one, got none", "image");
  if (auto known = replayed(api, asked->idempotency)) {
    return answer(request, api, *asked, *std::move(known));
  }
  api.services.generator.check(images.still);  // before anything is fetched
  return with_inputs(request, api, std::exchange(images.still.inputs, {}),
                     [&api, asked](const Request& from, gen::Inputs inputs) {
                       return make(from, api, *asked, std::move(inputs));
                     });
}

Answer content(const Request& request, const Api& api) {
  const jobs::Job job = find_job(request, api, jobs::Kind::Image);
  if (!job.result) return not_ready(job);
  return content_reply(request, api.services.blobs, job,
                       output_of(job, request.param("variant")).blob,
                       fmt::format("image/{}", name_of(job.spec->image_format)));
}

}  // namespace

void add_image_routes(Router& router, Api& api) {
  router.add("POST", "/v1/images/generations",
             [&api](Request& request) { return generate(request, api, false); });
  router.add("POST", "/v1/images/edits",
             [&api](Request& request) { return generate(request, api, true); });
  router.add(
      "GET", "/v1/images/{id}/content", [&api](Request& request) { return content(request, api); },
      Access::SignedUrl);
}

}  // namespace reel::http
