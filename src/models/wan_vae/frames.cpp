#include <ATen/ATen.h>

#include "reel/models/wan_vae.h"

namespace reel::models {

at::Tensor unit_frames(const at::Tensor& x) {
  return (x.permute({1, 2, 3, 0}) * 0.5 + 0.5).clamp(0, 1).contiguous();
}

at::Tensor rgb_frames(const at::Tensor& x) { return (unit_frames(x) * 255).round().to(at::kByte); }

}  // namespace reel::models
