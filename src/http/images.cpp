#include <fmt/format.h>

#include "api.h"
#include "content.h"
#include "error_reply.h"
#include "follow.h"
#include "form.h"
#include "inputs.h"
#include "job_json.h"
#include "reel/base/error.h"
#include "reel/gen/request_json.h"
#include "submission.h"

namespace reel::http {
namespace {

using nlohmann::json;

/// The images of an ended job, or why there are none, as the events that OpenAI's SDKs read.
std::string ending(const jobs::Job& job, const Api& api, const std::string& base_url) {
  if (job.error) {
    return sse("error", error_reply(500, job.error->message, {}, job.error->code).body);
  }
  constexpr const char* kType = "image_generation.completed";
  const json images = images_json(job, true, api, base_url);
  std::string text;
  for (const json& image : images["data"]) {
    json event = {{"type", kType},
                  {"b64_json", image["b64_json"]},
                  {"created_at", images["created"]},
                  {"size", images["size"]},
                  {"quality", "auto"},
                  {"background", "opaque"},
                  {"output_format", images["output_format"]}};
    event["usage"] = {{"input_tokens", 0},
                      {"output_tokens", 0},
                      {"total_tokens", 0},
                      {"input_tokens_details", {{"image_tokens", 0}, {"text_tokens", 0}}}};
    text += sse(kType, json_reply(event).body);
  }
  return text;
}

/// Only whole images: there is nothing to show before.
Events stream(const Request& request, const Api& api, const jobs::Submitted& submitted) {
  const std::string id = submitted.job.id;
  Events events =
      follow(api, id, 0, [&api, base_url = api.base_url(request)](const EventFeed::Event& event) {
        return jobs::is_final(event.job.status) ? ending(event.job, api, base_url) : std::string();
      });
  events.ready = [&api, id, ready = std::move(events.ready)] {
    if (const auto job = api.services.jobs.find(id)) cancel_if_never_taken(api, *job);
    return ready();
  };
  events.gone = gone_of(api, submitted);
  return events;
}

struct Asked {
  json fields;
  gen::Parsed<gen::ImageRequest> parsed;
};

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
  auto submitted = submit(request, api, std::move(spec), asked.fields);
  if (auto* refused = std::get_if<Reply>(&submitted)) return std::move(*refused);
  if (images.stream) return stream(request, api, std::get<jobs::Submitted>(submitted));
  const bool base64 = images.reply == gen::ImageRequest::Reply::Base64;
  return wait_for(api, std::get<jobs::Submitted>(submitted),
                  [&api, base64, base_url = api.base_url(request)](const jobs::Job& job) -> Ready {
                    return json_reply(images_json(job, base64, api, base_url));
                  });
}

/// With `from_image`, an image is what they are made from.
Answer generate(Request& request, Api& api, bool from_image) {
  api.require_open();
  const auto asked = std::make_shared<Asked>();
  asked->fields = read_fields(request);
  asked->parsed = gen::parse_image_request(asked->fields);
  api.note_unknown(asked->parsed.unknown);
  require(webhook_of(asked->fields, api).empty(), "webhook_url: only videos have webhooks",
          "webhook_url");
  const gen::ImageRequest& images = asked->parsed.request;
  require(!from_image || images.still.inputs.image, "image: expected one, got none", "image");
  api.services.generator.check(images.still);  // before anything is fetched
  require(!images.stream || !gen::any(images.still.inputs),
          "stream: images made from others come whole", "stream");
  return with_inputs(request, api, images.still.inputs,
                     [&api, asked](const Request& from, gen::Inputs inputs) {
                       return make(from, api, *asked, std::move(inputs));
                     });
}

Answer content(const Request& request, const Api& api) {
  static constexpr const char* kTypes[] = {"image/png", "image/jpeg", "image/webp"};
  const jobs::Job job = find_job(request, api, jobs::Kind::Image);
  if (!job.result) return not_ready(job);
  return to_answer(content_reply(request, api.services.blobs, job,
                                 output_of(job, request.param("variant")).blob,
                                 kTypes[static_cast<size_t>(job.spec->image_format)]));
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
