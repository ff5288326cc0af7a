#pragma once

#include <cstdint>

namespace reel::kernels::gpu {

/// Tensor cores read of an fp32 value what TF32 has of it, and leave the rest away: of values whose
/// logarithms are spread evenly 2^-11 / (2 ln 2) on average. What is made of them is multiplied by
/// this, and so as near as if they had been rounded.
constexpr float kCutShort = 1 + 3.52e-4F;

/// 3 × 3 places, padded with zeros, and `taps` frames, not padded. Weights in fp32 are TF32's.
struct Convolution {
  bool bf16;           // all of it, or fp32
  const void* x;       // [batch, frames, rows, columns, in]
  const void* weight;  // [out, taps, 3, 3, in], `stride` values an output channel
  const void* bias;    // [out]
  void* y;             // [batch, frames − taps + 1, rows, columns, out]
  int batch, frames, rows, columns, in, out, taps;
  int64_t stride;
};

/// Whether so many channels can be had: of fp32 or bf16, in whole vectors.
bool has_convolution(bool bf16, int64_t in, int64_t out);

/// Starts the kernel on a CUDA stream. Null, or why it did not start.
const char* run(const Convolution& convolution, void* stream);

}  // namespace reel::kernels::gpu
