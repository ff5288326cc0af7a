#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace reel::sampling {

/// Standard normal fp32 noise of `shape` ([1, C, T, H, W]), the same as Diffusers' `randn_tensor`
/// draws from a generator seeded with `seed`.
///
/// `generator_device` "cpu": drawn on the host, the same on every machine; only the low 32 bits
/// of the seed count. "cuda": drawn on GPU `device`, Philox, depends on the kind of GPU.
/// Comes back on `device` either way. Throws Error(InvalidArgument) if there is no such generator.
at::Tensor initial_noise(at::IntArrayRef shape, uint64_t seed, const std::string& generator_device,
                         at::Device device);

/// The noise that is drawn after the initial noise and `before` others like it: [1, T, C, H, W], as
/// FastVideo draws it, in the order of `shape`.
at::Tensor renewed_noise(at::IntArrayRef shape, int before, uint64_t seed,
                         const std::string& generator_device, at::Device device);

}  // namespace reel::sampling
