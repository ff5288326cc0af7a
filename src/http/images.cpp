#include <fmt/format.h>

#include "api.h"
#include "content.h"
#include "error_reply.h"
#include "form.h"
#include "job_json.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/gen/request_json.h"

namespace reel::http {
namespace {

using nlohmann::json;

// Nothing while the job is under way.
std::optional<Reply> images_reply(const std::string& id, bool base64, const Api& api,
                                  const std::string& base_url, const Stopwatch& waited) {
  const jobs::Job job = api.services.jobs.get(id);
  if (job.result) return json_reply(images_json(job, base64, api, base_url));
  if (job.error) return error_reply(500, job.error->message, {}, job.error->code);
  if (waited.seconds() < static_cast<double>(api.options.image_wait.count())) return std::nullopt;
  api.services.jobs.cancel(id, "it took too long");
  return error_reply(
      504, fmt::format("the image was not ready after {} s", api.options.image_wait.count()), {},
      "timeout");
}

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
  const auto& [job, replayed] = std::get<jobs::Submitted>(submitted);
  const std::string id = job.id;
  Wait wait;
  wait.poll = [&api, id, base64, base_url = api.base_url(request), waited = Stopwatch()] {
    return images_reply(id, base64, api, base_url, waited);
  };
  wait.gone = [&api, id, others = replayed] {
    if (!others) api.services.jobs.cancel(id, "its client went away");
  };
  return wait;
}

Answer content(const Request& request, const Api& api) {
  static constexpr const char* kTypes[] = {"image/png", "image/jpeg", "image/webp"};
  const jobs::Job job = find_job(api, jobs::Kind::Image, request.args[0]);
  if (!job.result) return not_ready(job);
  return content_reply(request, api.services.blobs, job, output_of(job, request.param("variant")),
                       kTypes[static_cast<size_t>(job.spec->image_format)]);
}

}  // namespace

void add_image_routes(Router& router, Api& api) {
  router.add("POST", "/v1/images/generations",
             [&api](Request& request) { return generate(request, api); });
  router.add("GET", "/v1/images/{id}/content",
             [&api](Request& request) { return content(request, api); });
}

}  // namespace reel::http
