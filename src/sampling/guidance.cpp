#include "reel/sampling/guidance.h"

#include <ATen/ATen.h>

namespace reel::sampling {

at::Tensor guide(const at::Tensor& conditional, const at::Tensor& unconditional, double scale) {
  return unconditional + (conditional - unconditional) * scale;
}

bool chooses_low_noise(double timestep, std::optional<double> boundary_ratio,
                       int num_train_timesteps) {
  // Compared in fp32: that is what a tensor with a Python number gives.
  return boundary_ratio &&
         static_cast<float>(timestep) < static_cast<float>(*boundary_ratio * num_train_timesteps);
}

}  // namespace reel::sampling
