#include "bench_client.h"

#include <fmt/format.h>

#include <iostream>
#include <thread>
#include <utility>

#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/ids.h"

namespace reel::cli {

using nlohmann::json;
using namespace std::chrono_literals;

BenchClient::BenchClient(const BenchFlags& flags, const std::string& picture)
    : flags_(flags),
      picture_(picture),
      base_(flags.base_url.empty() ? fmt::format("http://{}:{}", flags.host, flags.port)
                                   : flags.base_url) {
  while (base_.ends_with('/')) base_.pop_back();
}

void BenchClient::wait_until_healthy() {
  const std::string url = base_ + "/health";
  int status = 0;
  bool told = false;
  for (const Stopwatch waited; waited.seconds() < 1200;) {
    try {
      status = http_.get(url).status;
      if (status == 200) return;
    } catch (const Error&) {  // not listening yet
    }
    if (!std::exchange(told, true)) {
      std::cerr << "waiting for " << url << (status == 404 ? ", which is not found" : "") << '\n';
    }
    std::this_thread::sleep_for(1s);
  }
  throw Error(ErrorCode::Unavailable, url + ": not 200 within 1200 s");
}

std::string BenchClient::served_model() {
  return json::parse(http_.get(base_ + "/v1/model_info").body).at("model_path");
}

BenchResult BenchClient::run(const std::string& model, const BenchRequest& request) {
  BenchResult result;
  const Stopwatch watch;
  try {
    const auto made = submit(fields_of(model, request));
    if (made.status != 200) throw Error(ErrorCode::Unavailable, made.body);
    const std::string url =
        base_ + "/v1/videos/" + json::parse(made.body).at("id").get<std::string>();
    for (;;) {
      const auto reply = http_.get(url);
      if (reply.status != 200) throw Error(ErrorCode::Unavailable, reply.body);
      const auto job = json::parse(reply.body);
      const std::string status = job.at("status");
      if (status == "failed") throw Error(ErrorCode::Internal, job.at("error").dump());
      if (status == "completed") {
        result.ok = true;
        result.outputs = job.value("num_outputs", 1);
        if (job.contains("peak_memory_mb") && job["peak_memory_mb"].is_number()) {
          result.peak_memory_mb = job["peak_memory_mb"].get<double>();
        }
        break;
      }
      std::this_thread::sleep_for(1s);
    }
  } catch (const std::exception& error) {
    result.error = error.what();
  }
  result.latency_s = watch.seconds();
  return result;
}

json BenchClient::fields_of(const std::string& model, const BenchRequest& request) const {
  json fields{{"model", model},
              {"prompt", request.prompt},
              {"num_outputs_per_prompt", flags_.num_outputs_per_prompt}};
  if (request.width && request.height) {
    fields["size"] = fmt::format("{}x{}", *request.width, *request.height);
  }
  if (request.num_frames) fields["num_frames"] = *request.num_frames;
  if (request.fps) fields["fps"] = *request.fps;
  if (request.num_inference_steps) fields["num_inference_steps"] = *request.num_inference_steps;
  fields.update(json::parse(flags_.extra_body));
  return fields;
}

net::Response BenchClient::submit(const json& fields) {
  const std::string url = base_ + "/v1/videos";
  if (picture_.empty()) return http_.post(url, fields.dump(), "application/json");
  const std::string boundary = random_id("part-");
  std::string form;
  for (const auto& [name, value] : fields.items()) {
    form +=
        fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", boundary,
                    name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  form += fmt::format(
      "--{}\r\nContent-Disposition: form-data; name=\"input_reference\"; filename=\"first\"\r\n"
      "Content-Type: image/png\r\n\r\n{}\r\n--{}--\r\n",
      boundary, picture_, boundary);
  return http_.post(url, form, "multipart/form-data; boundary=" + boundary);
}

}  // namespace reel::cli
