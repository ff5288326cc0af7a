#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace reel::sampling {

/// Classifier-free guidance, u + scale · (c − u), each operation rounded to the dtype of its
/// operands as in Diffusers.
at::Tensor guide(const at::Tensor& conditional, const at::Tensor& unconditional, double scale);

/// Which of two experts a timestep belongs to: true below boundary_ratio · num_train_timesteps.
/// Without a boundary there is one expert, and it is never the low-noise one.
bool chooses_low_noise(double timestep, std::optional<double> boundary_ratio,
                       int num_train_timesteps);

}  // namespace reel::sampling
