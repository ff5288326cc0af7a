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

}  // namespace reel::sampling
