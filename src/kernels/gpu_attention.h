#pragma once

#include <cstdint>

namespace reel::kernels::gpu {

constexpr int kHeadDim = 128;

/// bf16, [batch, tokens, heads, kHeadDim], aligned to 16 bytes.
struct Attention {
  const void *q, *k, *v;
  void* out;
  int batch, heads, queries, keys;
  bool exponents;  // weights are powers of two of q kᵀ as it is, else e to the q kᵀ / √kHeadDim
  /// `tiles_of` zeros: it marks there what it computes a second time.
  uint32_t* again;
};

int64_t tiles_of(const Attention& attention);

/// Starts the kernels on a CUDA stream. Null, or why they did not start.
const char* run(const Attention& attention, void* stream);

}  // namespace reel::kernels::gpu
