#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <thread>

#include "commands.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/part_file.h"
#include "reel/net/http_client.h"

// The protocol and the result block are those of SGLang's bench_serving, so that figures can be
// laid side by side.
namespace reel::cli {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

struct Result {
  bool ok = false;
  double latency_s = 0;
  int outputs = 0;
  std::optional<double> peak_memory_mb;
  std::string error;
};

class Client {
 public:
  explicit Client(const BenchFlags& flags)
      : flags_(flags),
        base_(flags.base_url.empty() ? fmt::format("http://{}:{}", flags.host, flags.port)
                                     : flags.base_url) {
    while (base_.ends_with('/')) base_.pop_back();
  }

  void wait_until_healthy() {
    for (const Stopwatch waited; waited.seconds() < 1200;) {
      try {
        if (http_.get(base_ + "/health").status == 200) return;
      } catch (const Error&) {  // not listening yet
      }
      std::this_thread::sleep_for(1s);
    }
    throw Error(ErrorCode::Unavailable, base_ + "/health: not 200 within 1200 s");
  }

  std::string model() {
    return json::parse(http_.get(base_ + "/v1/model_info").body).at("model_path");
  }

  Result run(const std::string& model, const std::string& prompt, std::optional<int> steps) {
    Result result;
    const Stopwatch watch;
    try {
      const auto made = http_.post(base_ + "/v1/videos", payload(model, prompt, steps).dump(),
                                   "application/json");
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

 private:
  json payload(const std::string& model, const std::string& prompt,
               std::optional<int> steps) const {
    json body{{"model", model},
              {"prompt", prompt},
              {"num_outputs_per_prompt", flags_.num_outputs_per_prompt}};
    if (flags_.width && flags_.height) {
      body["size"] = fmt::format("{}x{}", *flags_.width, *flags_.height);
    }
    if (flags_.num_frames) body["num_frames"] = *flags_.num_frames;
    if (flags_.fps) body["fps"] = *flags_.fps;
    if (steps) body["num_inference_steps"] = *steps;
    body.update(json::parse(flags_.extra_body));
    return body;
  }

  const BenchFlags& flags_;
  std::string base_;
  net::HttpClient http_;
};

std::vector<std::string> read_prompts(const BenchFlags& flags) {
  std::vector<std::string> prompts;
  if (!flags.dataset_path.empty()) {
    std::ifstream in(flags.dataset_path);
    require(bool(in), fmt::format("--dataset-path {}: cannot be opened", flags.dataset_path));
    for (std::string line; std::getline(in, line);) {
      if (!line.empty()) prompts.push_back(line);
    }
    require(!prompts.empty(), fmt::format("--dataset-path {}: has no prompt", flags.dataset_path));
  } else {
    require(flags.dataset == "random", "--dataset vbench: give its prompts with --dataset-path");
    for (int i = 0; i < flags.num_prompts; ++i) {
      prompts.push_back(fmt::format("Random prompt {} for benchmarking diffusion models", i));
    }
  }
  const size_t distinct = prompts.size();
  prompts.resize(static_cast<size_t>(flags.num_prompts));
  for (size_t i = distinct; i < prompts.size(); ++i) prompts[i] = prompts[i % distinct];
  return prompts;
}

/// Linear interpolation between ranks, as numpy's; NaN of nothing.
double percentile(std::vector<double> values, double p) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const double rank = p / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (rank - static_cast<double>(below)) * (values[above] - values[below]);
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<Result> run_all(const BenchFlags& flags, const std::string& model,
                            const std::vector<std::string>& prompts) {
  std::vector<Result> results(prompts.size());
  std::vector<double> due(prompts.size(), 0.0);
  if (flags.request_rate > 0 && std::isfinite(flags.request_rate)) {
    std::mt19937 random(42);
    std::exponential_distribution<double> gap(flags.request_rate);
    for (size_t i = 1; i < due.size(); ++i) due[i] = due[i - 1] + gap(random);
  }
  std::mutex mutex;
  size_t next = 0;
  const Stopwatch watch;
  {
    std::vector<std::jthread> workers;
    for (int w = 0; w < flags.max_concurrency; ++w) {
      workers.emplace_back([&] {
        Client client(flags);
        for (;;) {
          size_t mine;
          {
            const std::lock_guard lock(mutex);
            if (next == prompts.size()) return;
            mine = next++;
          }
          std::this_thread::sleep_for(
              std::chrono::duration<double>(std::max(0.0, due[mine] - watch.seconds())));
          results[mine] = client.run(model, prompts[mine], flags.num_inference_steps);
        }
      });
    }
  }
  return results;
}

json summary(const std::vector<Result>& results, double duration, const BenchFlags& flags) {
  std::vector<double> latencies, memory;
  int outputs = 0;
  for (const Result& r : results) {
    if (!r.ok) continue;
    latencies.push_back(r.latency_s);
    outputs += r.outputs;
    if (r.peak_memory_mb) memory.push_back(*r.peak_memory_mb);
  }
  const auto completed = latencies.size();
  json j{{"duration", duration},
         {"completed_requests", completed},
         {"completed_outputs", outputs},
         {"failed_requests", results.size() - completed},
         {"throughput_qps", static_cast<double>(completed) / duration},
         {"output_throughput_ops", outputs / duration},
         {"latency_mean", completed ? mean(latencies) : 0.0},
         {"latency_median", completed ? percentile(latencies, 50) : 0.0},
         {"num_outputs_per_prompt", flags.num_outputs_per_prompt}};
  for (const int p : {50, 90, 95, 99}) {
    j[fmt::format("latency_p{}", p)] = completed ? percentile(latencies, p) : 0.0;
  }
  if (!memory.empty()) {
    j["peak_memory_mb_max"] = percentile(memory, 100);
    j["peak_memory_mb_mean"] = mean(memory);
    j["peak_memory_mb_median"] = percentile(memory, 50);
  }
  return j;
}

template <class T>
void line(const char* name, const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    fmt::print("{:<45} {:<30.2f}\n", name, value);
  } else {
    fmt::print("{:<45} {:<30}\n", name, value);
  }
}

void print(const json& s, const BenchFlags& flags, const std::string& model, size_t asked) {
  const std::string rule(50, '-');
  fmt::print("\n{:=^60}\n", " Serving Benchmark Result ");
  line("Task:", "text-to-video");
  line("Model:", model);
  line("Dataset:", flags.dataset);
  fmt::print("{}\n", rule);
  line("Benchmark duration (s):", s["duration"].get<double>());
  line("Request rate:", flags.request_rate > 0 && std::isfinite(flags.request_rate)
                            ? fmt::format("{}", flags.request_rate)
                            : std::string("inf"));
  line("Max request concurrency:", flags.max_concurrency);
  line("Successful requests:", fmt::format("{}/{}", s["completed_requests"].get<int>(), asked));
  line("Completed outputs:", s["completed_outputs"].get<int>());
  line("Outputs per prompt:", flags.num_outputs_per_prompt);
  fmt::print("{}\n", rule);
  line("Request throughput (req/s):", s["throughput_qps"].get<double>());
  line("Output throughput (outputs/s):", s["output_throughput_ops"].get<double>());
  line("Latency Mean (s):", s["latency_mean"].get<double>());
  line("Latency Median (s):", s["latency_median"].get<double>());
  line("Latency P90 (s):", s["latency_p90"].get<double>());
  line("Latency P95 (s):", s["latency_p95"].get<double>());
  line("Latency P99 (s):", s["latency_p99"].get<double>());
  if (s.contains("peak_memory_mb_max")) {
    fmt::print("{}\n", rule);
    line("Peak Memory Max (MB):", s["peak_memory_mb_max"].get<double>());
    line("Peak Memory Mean (MB):", s["peak_memory_mb_mean"].get<double>());
    line("Peak Memory Median (MB):", s["peak_memory_mb_median"].get<double>());
  }
  fmt::print("{:-<60}\n", "");
}

}  // namespace

int bench(const BenchFlags& flags) {
  require(json::parse(flags.extra_body, nullptr, /*allow_exceptions=*/false).is_object(),
          fmt::format("--extra-body: expected a JSON object, got '{}'", flags.extra_body));
  const auto prompts = read_prompts(flags);
  Client client(flags);
  client.wait_until_healthy();
  const std::string model = flags.model == "default" ? client.model() : flags.model;
  for (int i = 0; i < flags.warmup_requests; ++i) {
    const auto warm = client.run(model, prompts.front(), flags.warmup_inference_steps);
    if (!warm.ok) throw Error(ErrorCode::Unavailable, "warm-up request failed: " + warm.error);
  }
  const Stopwatch watch;
  const auto results = run_all(flags, model, prompts);
  const json figures = summary(results, watch.seconds(), flags);
  for (const Result& result : results) {
    if (!result.ok) std::cerr << "failed: " << result.error << '\n';
  }
  print(figures, flags, model, prompts.size());
  if (!flags.output_file.empty()) {
    PartFile file(flags.output_file);
    file.write(figures.dump(2) + "\n");
    file.commit();
  }
  return figures["failed_requests"] == 0 ? 0 : 1;
}

}  // namespace reel::cli
