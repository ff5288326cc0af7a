#include "job_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "error_reply.h"
#include "reel/base/digest.h"
#include "reel/base/error.h"
#include "reel/gen/request_json.h"

namespace reel::http {
namespace {

using nlohmann::json;

std::string model_of(const jobs::Job& job, const Api& api) {
  return job.spec->model.empty() ? api.services.generator.describe().model : job.spec->model;
}

json path_of(const jobs::Output& output, const Api& api) {
  const auto blob = api.services.blobs.find(output.blob);
  return blob ? json(std::filesystem::absolute(blob->path).string()) : json();
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) throw Error(ErrorCode::Internal, "image: its file could not be read");
  return bytes;
}

}  // namespace

std::string_view wire_status(jobs::Status status) {
  return jobs::name(status == jobs::Status::Cancelled ? jobs::Status::Failed : status);
}

std::string size_of(const gen::ResolvedRequest& request) {
  return gen::text_of({request.width, request.height});
}

std::string_view name_of(gen::ImageFormat format) {
  static constexpr std::string_view kFormats[] = {"png", "jpeg", "webp"};
  return kFormats[static_cast<size_t>(format)];
}

json state_json(const jobs::Job& job, const Api& api, const std::string& base_url) {
  const jobs::JobProgress& progress = job.progress;
  const bool working = job.status == jobs::Status::InProgress;
  const bool completed = job.result.has_value();
  json state = {
      {"id", job.id},
      {"object", jobs::name(job.spec->kind)},
      {"model", model_of(job, api)},
      {"status", wire_status(job.status)},
      {"created_at", job.created_at},
      {"expires_at", or_null(job.expires_at)},
      {"progress", completed ? 100 : progress.percent},
      {"queue_position", or_null(job.queue_position)},
      {"stage", working ? json(gen::name(progress.stage)) : json()},
      {"step", working ? json(progress.step) : json()},
      {"total_steps", working ? json(progress.steps) : json()},
      {"eta_seconds", jobs::is_final(job.status) ? json() : or_null(progress.eta_seconds)},
      {"completed_at", completed ? or_null(job.completed_at) : json()},
      {"url", nullptr},
      {"inference_time_s", nullptr},
      {"peak_memory_mb", nullptr},
      {"error", nullptr}};
  if (completed) {
    state["url"] = api.content_url(base_url, job);
    state["inference_time_s"] = job.result->inference_time_s;
    state["peak_memory_mb"] = or_null(job.result->peak_memory_mb);
  }
  if (job.error) state["error"] = {{"code", job.error->code}, {"message", job.error->message}};
  return state;
}

json video_json(const jobs::Job& job, const Api& api, const std::string& base_url) {
  const gen::ResolvedRequest& request = job.spec->request;
  json video = state_json(job, api, base_url);
  video.update({{"prompt", request.prompt},
                {"size", size_of(request)},
                {"seconds", std::to_string(std::lround(request.seconds()))},
                {"fps", request.fps},
                {"num_frames", request.num_frames},
                {"num_outputs", request.num_outputs()},
                {"seed", request.num_outputs() == 1 ? json(request.seeds[0]) : json(request.seeds)},
                {"quality", "standard"},
                {"priority", job.spec->priority},
                {"timeout_s", or_null(job.spec->timeout_s)},
                {"inputs", gen::inputs_json(request.inputs)},
                {"remixed_from_video_id", or_null(job.spec->remixed_from)},
                {"file_path", nullptr},
                {"file_paths", nullptr},
                {"action", nullptr}});
  if (job.result) {
    json paths = json::array();
    for (const jobs::Output& output : job.result->outputs) paths.push_back(path_of(output, api));
    if (!paths.empty()) video["file_path"] = paths[0];
    video["file_paths"] = std::move(paths);
  }
  return video;
}

json images_json(const jobs::Job& job, bool base64, const Api& api, const std::string& base_url) {
  const gen::ResolvedRequest& request = job.spec->request;
  json data = json::array();
  for (size_t i = 0; i < job.result->outputs.size(); ++i) {
    const auto blob = api.services.blobs.find(job.result->outputs[i].blob);
    if (!blob) throw Error(ErrorCode::NotFound, fmt::format("{}: its file is gone", job.id));
    json one = {{"b64_json", nullptr},
                {"url", nullptr},
                {"revised_prompt", request.prompt},
                {"seed", request.seeds[i]},
                {"file_path", path_of(job.result->outputs[i], api)}};
    if (base64) {
      one["b64_json"] = encode_base64(read_file(blob->path));
    } else {
      const std::string variant = request.num_outputs() > 1 ? std::to_string(i) : "";
      one["url"] = api.content_url(base_url, job, variant);
    }
    data.push_back(std::move(one));
  }
  return {{"id", job.id},
          {"created", job.created_at},
          {"data", std::move(data)},
          {"size", size_of(request)},
          {"output_format", name_of(job.spec->image_format)},
          {"background", "opaque"},
          {"quality", "high"},
          {"usage",
           {{"input_tokens", 0},
            {"output_tokens", 0},
            {"total_tokens", 0},
            {"input_tokens_details", {{"image_tokens", 0}, {"text_tokens", 0}}}}},
          {"inference_time_s", job.result->inference_time_s},
          {"peak_memory_mb", or_null(job.result->peak_memory_mb)}};
}

int poll_after_ms(const jobs::Job& job) {
  const double left = job.progress.eta_seconds.value_or(10);
  return static_cast<int>(std::clamp(left * 100, 500.0, 5000.0));
}

const jobs::Output& output_of(const jobs::Job& job, const std::string& variant) {
  const auto& outputs = job.result.value().outputs;
  if (variant.empty() || variant == "video") return outputs.at(0);
  size_t output = 0;
  const char* const end = variant.data() + variant.size();
  const auto [stop, fault] = std::from_chars(variant.data(), end, output);
  if (fault != std::errc{} || stop != end || output >= outputs.size()) {
    throw Error(ErrorCode::NotFound,
                fmt::format("{}: it has no variant '{}'", job.id, variant.substr(0, 80)),
                "variant");
  }
  return outputs[output];
}

jobs::Job find_job(const Request& request, const Api& api, jobs::Kind kind) {
  const std::string& id = request.args[0];
  jobs::Job job = api.services.jobs.get(id, request.owner);
  if (job.spec->kind == kind) return job;
  throw Error(ErrorCode::NotFound, fmt::format("there is no {} '{}'", jobs::name(kind), id), "id");
}

Reply not_ready(const jobs::Job& job) {
  const std::string why =
      job.error ? job.error->message : std::string("Generation is still in-progress");
  return error_reply(404, why, {}, fmt::format("{}_not_ready", jobs::name(job.spec->kind)));
}

}  // namespace reel::http
