#pragma once

#include <cstdint>

#include "cpu_rows.h"

namespace reel::kernels::cpu {

/// y = silu(x / ‖x‖ · √n · gamma) of one row. Compiled and chosen as in cpu_rows.h.
void rms_silu(const float* x, const float* gamma, float* y, int64_t n);
void rms_silu(const Bf16* x, const Bf16* gamma, Bf16* y, int64_t n);

}  // namespace reel::kernels::cpu
