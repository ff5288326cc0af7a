#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench_client.h"
#include "bench_report.h"
#include "commands.h"
#include "for_flag.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/part_file.h"
#include "reel/base/read_file.h"
#include "reel/media/image_codec.h"

// The protocol and the result block are those of SGLang's bench_serving, so that figures can be
// laid side by side.
namespace reel::cli {
namespace {

using nlohmann::json;

constexpr size_t kUpload = 64 << 20;  // bytes

/// What every video begins with; as SGLang, white where none is given.
std::string picture_of(const BenchFlags& flags) {
  if (flags.task != "image-to-video") return {};
  if (!flags.input_reference.empty()) {
    return for_flag("--input-reference", [&] {
      return read_file(flags.input_reference, kUpload, ErrorCode::InvalidArgument);
    });
  }
  constexpr int kSide = 512;
  return media::encode_image({kSide, kSide, std::vector<uint8_t>(kSide * kSide * 3, 255)},
                             media::ImageFormat::Png);
}

/// Seconds that each took for a unit of work. Throws the first that fails.
std::vector<double> warm_up(BenchClient& client, const std::string& model, BenchRequest request,
                            const BenchFlags& flags) {
  request.num_inference_steps = flags.warmup_inference_steps;
  std::vector<double> s_per_work;
  for (int i = 0; i < flags.warmup_requests; ++i) {
    const auto warm = client.run(model, request);
    if (!warm.ok) throw Error(ErrorCode::Unavailable, "warm-up request failed: " + warm.error);
    s_per_work.push_back(warm.latency_s / request.work());
  }
  return s_per_work;
}

std::vector<BenchResult> run_all(const BenchFlags& flags, const std::string& model,
                                 const std::vector<BenchRequest>& requests,
                                 const std::string& picture) {
  std::vector<BenchResult> results(requests.size());
  std::vector<double> due(requests.size(), 0.0);
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
        BenchClient client(flags, picture);
        for (;;) {
          size_t mine;
          {
            const std::lock_guard lock(mutex);
            if (next == requests.size()) return;
            mine = next++;
          }
          std::this_thread::sleep_for(
              std::chrono::duration<double>(std::max(0.0, due[mine] - watch.seconds())));
          results[mine] = client.run(model, requests[mine]);
        }
      });
    }
  }
  return results;
}

}  // namespace

int bench(const BenchFlags& flags) {
  require(json::parse(flags.extra_body, nullptr, /*allow_exceptions=*/false).is_object(),
          fmt::format("--extra-body: expected a JSON object, got '{}'", flags.extra_body));
  require(!flags.slo || flags.warmup_requests > 0,
          "--slo: what is expected is measured while warming up, and --warmup-requests is 0");
  require(flags.width.has_value() == flags.height.has_value(),
          "--width, --height: one is not without the other");
  const auto requests = bench_requests(flags);
  const std::string picture = picture_of(flags);
  BenchClient client(flags, picture);
  client.wait_until_healthy();
  const std::string model = flags.model == "default" ? client.served_model() : flags.model;
  const auto warm = warm_up(client, model, requests.front(), flags);
  const Stopwatch watch;
  const auto results = run_all(flags, model, requests, picture);
  const auto bound =
      flags.slo ? std::optional(flags.slo_scale * percentile(warm, 50)) : std::nullopt;
  const json figures = bench_summary(requests, results, watch.seconds(), flags, bound);
  for (const BenchResult& result : results) {
    if (!result.ok) std::cerr << "failed: " << result.error << '\n';
  }
  print_bench(figures, flags, model);
  if (!flags.output_file.empty()) {
    PartFile file(flags.output_file);
    file.write(figures.dump(2) + "\n");
    file.commit();
  }
  return figures["failed_requests"] == 0 ? 0 : 1;
}

}  // namespace reel::cli
