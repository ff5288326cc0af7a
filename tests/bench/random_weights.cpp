#include "random_weights.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "reel/sampling/noise.h"

namespace reel::bench {
namespace {

/// FNV-1a.
uint64_t seed_of(std::string_view name) {
  uint64_t hash = 14695981039346656037u;
  for (const char letter : name) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 1099511628211u;
  }
  return hash;
}

struct Distribution {
  double mean, spread;
};

Distribution distribution_of(const std::string& name, at::IntArrayRef shape) {
  const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
  const bool norm = has("norm") && (name.ends_with(".weight") || name.ends_with(".gamma"));
  if (norm) return {1, 0.1};
  if (name == "shared.weight" || has("relative_attention_bias")) return {0, 1};
  if (has("scale_shift_table")) return {0, 0.3};
  if (shape.size() < 2) return {0, 0.02};
  const auto inputs = static_cast<double>(c10::multiply_integers(shape.slice(1)));
  const double gain = has("SelfAttention.q.")    ? 0.125  // UMT5 does not divide scores by sqrt(64)
                      : has("decoder.conv_out.") ? 0.3    // frames stay within -1…1
                                                 : 1;
  return {0, gain / std::sqrt(inputs)};
}

}  // namespace

at::Tensor random(std::string_view name, at::IntArrayRef shape, at::Device device) {
  return sampling::initial_noise(shape, seed_of(name), device.is_cuda() ? "cuda" : "cpu", device);
}

double fill(weights::ParamSet& params) {
  double sum = 0;
  for (auto& param : params.params()) {
    const auto [mean, spread] = distribution_of(param.name, param.shape);
    const auto drawn = random(param.name, param.shape, params.device()).mul_(spread).add_(mean);
    param.tensor = drawn.to(at::kBFloat16).to(params.dtype_of(param));
    sum += param.tensor.abs().sum(at::kDouble).item<double>();
  }
  return sum;
}

}  // namespace reel::bench
