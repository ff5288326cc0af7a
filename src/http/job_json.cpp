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

JsonText state_text(const jobs::Job& job, const Api& api, const std::string& base_url) {
  const jobs::JobProgress& progress = job.progress;
  const bool working = job.status == jobs::Status::InProgress;
  const bool completed = job.result.has_value();
  const auto only_if = [](bool there, const auto& value) {
    return there ? std::optional(value) : std::nullopt;
  };
  JsonText text;
  text.put("id", job.id);
  text.put("object", jobs::name(job.spec->kind));
  text.put("model", model_of(job, api));
  text.put("status", wire_status(job.status));
  text.put("created_at", job.created_at);
  text.put("expires_at", job.expires_at);
  text.put("progress", completed ? 100 : progress.percent);
  text.put("queue_position", job.queue_position);
  text.put("stage", only_if(working, gen::name(progress.stage)));
  text.put("step", only_if(working, progress.step));
  text.put("total_steps", only_if(working, progress.steps));
  text.put("eta_seconds", jobs::is_final(job.status) ? std::nullopt : progress.eta_seconds);
  text.put("completed_at", completed ? job.completed_at : std::nullopt);
  text.put("url", completed ? std::optional(api.content_url(base_url, job)) : std::nullopt);
  text.put("inference_time_s",
           completed ? std::optional(job.result->inference_time_s) : std::nullopt);
  text.put("peak_memory_mb", completed ? job.result->peak_memory_mb : std::nullopt);
  if (job.error) {
    text.put("error", json{{"code", job.error->code}, {"message", job.error->message}});
  } else {
    text.put("error", nullptr);
  }
  return text;
}

JsonText video_text(const jobs::Job& job, const Api& api, const std::string& base_url) {
  const gen::ResolvedRequest& request = job.spec->request;
  JsonText text = state_text(job, api, base_url);
  text.put("prompt", request.prompt);
  text.put("size", size_of(request));
  text.put("seconds", std::to_string(std::lround(request.seconds())));
  text.put("fps", request.fps);
  text.put("num_frames", request.num_frames);
  text.put("num_outputs", request.num_outputs());
  if (request.num_outputs() == 1) {
    text.put("seed", request.seeds[0]);
  } else {
    text.put("seed", json(request.seeds));
  }
  text.put("quality", "standard");
  text.put("priority", job.spec->priority);
  text.put("timeout_s", job.spec->timeout_s);
  text.put("inputs", gen::inputs_json(request.inputs));
  text.put("remixed_from_video_id", job.spec->remixed_from);
  if (job.result) {
    json paths = json::array();
    for (const jobs::Output& output : job.result->outputs) paths.push_back(path_of(output, api));
    text.put("file_path", paths.empty() ? json() : paths[0]);
    text.put("file_paths", paths);
  } else {
    for (const char* key : {"file_path", "file_paths"}) text.put(key, nullptr);
  }
  text.put("action", nullptr);
  return text;
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
