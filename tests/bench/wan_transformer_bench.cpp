// Seconds per forward of a transformer of Wan2.1 1.3B's width, random weights:
//   wan_transformer_bench [bf16|fp32] [blocks] [forwards] [cpu|cuda]

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "reel/base/clock.h"
#include "reel/models/wan_transformer.h"

namespace reel {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Until all that was asked of it is done.
void wait_for(at::Device device) {
  if (device.is_cuda()) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  }
}

void run(at::ScalarType dtype, int64_t blocks, int forwards, at::Device device) {
  config::WanTransformerConfig config;
  config.num_attention_heads = 12;
  config.ffn_dim = 8960;
  config.num_layers = blocks;
  weights::ParamSet params(device, dtype);
  const models::WanTransformer model(weights::ParamScope(params), config);
  for (auto& param : params.params()) {
    param.tensor = at::randn(param.shape, device).mul_(0.02).to(params.dtype_of(param));
  }
  wait_for(device);
  Stopwatch watch;
  params.pack();
  fmt::print("pack    {:8.1f} ms\n", watch.milliseconds());

  // 256 x 256 pixels, 17 frames.
  const auto latents = at::randn({1, 16, 5, 32, 32}, device).to(dtype);
  const auto grid = model.grid_of(latents);
  dist::SoloGroup solo;
  residency::ResidentBlocks stay;
  watch.restart();
  const auto rope = model.rope(grid);
  const auto table = model.times(at::linspace(999, 20, 50, device));
  const auto prompt =
      model.prompt(at::randn({1, 512, config.text_dim}, device).to(dtype), {}, stay);
  wait_for(device);
  fmt::print("request {:8.1f} ms (rope, 50 timesteps, one prompt)\n", watch.milliseconds());

  std::vector<double> times, cpu_times;
  for (int i = 0; i < forwards + 1; ++i) {
    const auto time = table.at(i % 50);
    const auto cpu = std::clock();
    watch.restart();
    const auto x = model.blocks(0, blocks, model.begin(latents), {time, rope, prompt},
                                {.sequence = solo}, stay);
    const auto out = model.finish(x, time, grid);
    wait_for(device);
    if (i == 0) continue;
    times.push_back(watch.milliseconds());
    cpu_times.push_back(1e3 * static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC);
  }
  fmt::print(
      "forward {:8.1f} ms, {:8.1f} ms of CPU (medians of {}, {} blocks, {} threads, {}, {})\n",
      median(times), median(cpu_times), forwards, blocks, at::get_num_threads(),
      c10::toString(dtype), device.str());
}

}  // namespace
}  // namespace reel

int main(int count, char** arguments) {
  const c10::InferenceMode inference;
  const auto argument = [&](int i, const char* otherwise) {
    return std::string(i < count ? arguments[i] : otherwise);
  };
  reel::run(argument(1, "bf16") == "fp32" ? at::kFloat : at::kBFloat16, std::stoi(argument(2, "4")),
            std::stoi(argument(3, "5")),
            argument(4, "cpu") == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU));
}
