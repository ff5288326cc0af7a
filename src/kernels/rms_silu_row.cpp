#include "rms_silu_row.h"

#include <bit>
#include <cmath>

namespace reel::kernels::cpu {
namespace {

// e^x, right to 1e-7, in operations that all exist for vectors: 2^n made of bits, times e^r with
// |r| <= ln 2 / 2 by the polynomial of Cephes' expf.
inline float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  constexpr float kRounder = 12582912.0f;  // 1.5 · 2^23: what is added to it becomes an integer
  const float rounded = x * 1.44269504f + kRounder;
  const float n = rounded - kRounder;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((std::bit_cast<uint32_t>(rounded) + 127u) << 23);
}

template <class T>
[[gnu::always_inline]] inline void row_of(const T* x, const T* gamma, T* y, int64_t n) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < n; ++i) squares += widened(x[i]) * widened(x[i]);
  const float norm = std::sqrt(squares);
  const float factor = std::sqrt(static_cast<float>(n)) / (norm < 1e-12f ? 1e-12f : norm);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float normed = widened(x[i]) * factor * widened(gamma[i]);
    round_to(normed / (1 + exponential(-normed)), y[i]);
  }
}

}  // namespace

[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void rms_silu(
    const float* x, const float* gamma, float* y, int64_t n) {
  row_of(x, gamma, y, n);
}

[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void rms_silu(
    const Bf16* x, const Bf16* gamma, Bf16* y, int64_t n) {
  row_of(x, gamma, y, n);
}

}  // namespace reel::kernels::cpu
