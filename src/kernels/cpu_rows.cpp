#include "cpu_rows.h"

#include <cmath>

namespace reel::kernels::cpu {

[[gnu::target_clones("avx512f", "avx2", "default")]] void load(const float* from, float* row,
                                                               int64_t n) {
  for (int64_t i = 0; i < n; ++i) row[i] = from[i];
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void load(const Bf16* from, float* row,
                                                               int64_t n) {
  for (int64_t i = 0; i < n; ++i) row[i] = widened(from[i]);
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void store(const float* row, float* to,
                                                                int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = row[i];
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void store(const float* row, Bf16* to,
                                                                int64_t n) {
  for (int64_t i = 0; i < n; ++i) round_to(row[i], to[i]);
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void add(float* row, const float* y,
                                                              int64_t n) {
  for (int64_t i = 0; i < n; ++i) row[i] += y[i];
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void add_gated(float* row, const float* y,
                                                                    const float* gate, int64_t n) {
  for (int64_t i = 0; i < n; ++i) row[i] += y[i] * gate[i];
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void layer_norm(float* row, const float* scale,
                                                                     const float* shift, float eps,
                                                                     int64_t n) {
  float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += row[i];
  const float mean = sum / static_cast<float>(n);
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < n; ++i) squares += (row[i] - mean) * (row[i] - mean);
  const float factor = 1 / std::sqrt(squares / static_cast<float>(n) + eps);
  for (int64_t i = 0; i < n; ++i) row[i] = (row[i] - mean) * factor * scale[i] + shift[i];
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void rms_norm(float* row, const float* weight,
                                                                   float eps, int64_t n) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < n; ++i) squares += row[i] * row[i];
  const float factor = 1 / std::sqrt(squares / static_cast<float>(n) + eps);
  for (int64_t i = 0; i < n; ++i) row[i] = row[i] * factor * weight[i];
}

[[gnu::target_clones("avx512f", "avx2", "default")]] void rotate(float* row, const float* cos,
                                                                 const float* sin, int64_t n) {
  for (int64_t r = 0; r < n / 2; ++r) {
    const float even = row[2 * r], odd = row[2 * r + 1];
    row[2 * r] = even * cos[r] - odd * sin[r];
    row[2 * r + 1] = even * sin[r] + odd * cos[r];
  }
}

}  // namespace reel::kernels::cpu
