#include "api.h"
#include "content.h"
#include "form.h"
#include "job_json.h"
#include "reel/gen/request_json.h"
#include "submission.h"

namespace reel::http {
namespace {

using nlohmann::json;

Answer generate(Request& request, Api& api) {
  api.require_open();
  const json fields = read_fields(request);
  auto parsed = gen::parse_image_request(fields);
  api.note_unknown(parsed.unknown);
  jobs::JobSpec spec;
  spec.kind = jobs::Kind::Image;
  spec.model = std::move(parsed.model);
  spec.request = api.services.generator.check(parsed.request.still);
  spec.quality = parsed.request.still.quality.value_or(75);
  spec.image_format = parsed.request.format;
  const bool base64 = parsed.request.reply == gen::ImageRequest::Reply::Base64;
  auto submitted = submit(api, std::move(spec), idempotency_of(request, fields));
  if (auto* refused = std::get_if<Reply>(&submitted)) return std::move(*refused);
  return wait_for(api, std::get<jobs::Submitted>(submitted),
                  [&api, base64, base_url = api.base_url(request)](const jobs::Job& job) -> Ready {
                    return json_reply(images_json(job, base64, api, base_url));
                  });
}

Answer content(const Request& request, const Api& api) {
  static constexpr const char* kTypes[] = {"image/png", "image/jpeg", "image/webp"};
  const jobs::Job job = find_job(api, jobs::Kind::Image, request.args[0]);
  if (!job.result) return not_ready(job);
  return to_answer(content_reply(request, api.services.blobs, job,
                                 output_of(job, request.param("variant")).blob,
                                 kTypes[static_cast<size_t>(job.spec->image_format)]));
}

}  // namespace

void add_image_routes(Router& router, Api& api) {
  router.add("POST", "/v1/images/generations",
             [&api](Request& request) { return generate(request, api); });
  router.add("GET", "/v1/images/{id}/content",
             [&api](Request& request) { return content(request, api); });
}

}  // namespace reel::http
