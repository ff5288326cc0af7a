#pragma once

#include <cstdint>

#include "bf16.h"

/// Passes over one token's `n` values in fp32. Each is compiled for AVX-512, AVX2 and baseline, and
/// the machine's own is chosen when the program is loaded.
namespace reel::kernels::cpu {

void load(const float* from, float* row, int64_t n);
void load(const Bf16* from, float* row, int64_t n);

/// Rounds to nearest even, as ATen.
void store(const float* row, float* to, int64_t n);
void store(const float* row, Bf16* to, int64_t n);

/// row += y
void add(float* row, const float* y, int64_t n);
/// row += y·gate
void add_gated(float* row, const float* y, const float* gate, int64_t n);

/// row = (row − mean) / √(variance + eps) · scale + shift
void layer_norm(float* row, const float* scale, const float* shift, float eps, int64_t n);
/// row = row / √(mean square + eps) · weight
void rms_norm(float* row, const float* weight, float eps, int64_t n);

/// Turns the `n` values' pairs (2r, 2r+1) by angle r.
void rotate(float* row, const float* cos, const float* sin, int64_t n);

}  // namespace reel::kernels::cpu
