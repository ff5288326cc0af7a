// Seconds that a VAE takes to decode random latents, in fp32 on the CPU:
//   wan_vae_bench <folder of the VAE> [pixels of a side] [frames] [rounds]

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "reel/base/clock.h"
#include "reel/models/wan_vae.h"
#include "reel/weights/checkpoint.h"

int main(int count, char** arguments) {
  using namespace reel;
  const c10::InferenceMode inference;
  const auto number = [&](int i, int otherwise) {
    return i < count ? std::stoi(arguments[i]) : otherwise;
  };
  const std::filesystem::path folder = count > 1 ? arguments[1] : ".";
  const auto config = config::read_wan_vae_config(folder / "config.json");
  weights::ParamSet params(at::kCPU, at::kFloat);
  const models::WanVaeDecoder vae(weights::ParamScope(params), config);
  weights::LoadOptions decoder_only;
  decoder_only.unused = models::wan_vae_encoder_only;
  weights::load(params, weights::Checkpoint(folder, "diffusion_pytorch_model"), decoder_only);

  const int64_t side = number(2, 64) / config.scale_factor_spatial;
  const int64_t frames = (number(3, 5) - 1) / config.scale_factor_temporal + 1;
  const auto z = at::randn({1, config.z_dim, frames, side, side});
  std::vector<double> times, cpu_times;
  for (int i = 0; i <= number(4, 5); ++i) {
    const auto cpu = std::clock();
    const Stopwatch watch;
    vae.decode(z);
    if (i == 0) continue;
    times.push_back(watch.milliseconds());
    cpu_times.push_back(1e3 * static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC);
  }
  std::sort(times.begin(), times.end());
  std::sort(cpu_times.begin(), cpu_times.end());
  fmt::print("decode {:.1f} ms, {:.1f} ms of CPU (medians of {}, {} threads)\n",
             times[times.size() / 2], cpu_times[cpu_times.size() / 2], times.size(),
             at::get_num_threads());
}
