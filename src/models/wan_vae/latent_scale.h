#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace reel::models::wan_vae {

/// One value for each latent channel, rounded to fp32 first, as Diffusers does.
inline at::Tensor per_channel(const std::vector<double>& values, const at::TensorOptions& options) {
  return at::tensor(at::ArrayRef<double>(values), at::kFloat).view({1, -1, 1, 1, 1}).to(options);
}

}  // namespace reel::models::wan_vae
