#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "reel/weights/param.h"

/// Weights that no file holds. scripts/measure/gpu/random_weights.py makes the same: on one kind of
/// device, a name and a shape decide every number.
namespace reel::bench {

/// N(0, 1), fp32.
at::Tensor random(std::string_view name, at::IntArrayRef shape, at::Device device);

/// Draws every parameter, in bf16 whatever it is kept in, so that activations stay near 1. Returns
/// the sum of all magnitudes, by which two programs find that they have the same.
double fill(weights::ParamSet& params);

}  // namespace reel::bench
