#pragma once

#include "token_rows.h"

namespace reel::kernels::gpu {

/// Whether our kernels can be had: built with nvcc, on a Hopper GPU. REEL_FUSED_KERNELS decides, 0
/// for none and 1 for all; without it those that were `measured` to be worth it.
bool enabled(bool measured = true);

/// Whether so many tokens of this width can be run: whole vectors, few enough for one block.
bool fits(int64_t tokens, int64_t width);

/// Starts the kernel on a CUDA stream. Rows are aligned to 16 bytes. Null, or why it did not start.
const char* run(const Chain& chain, bool bf16, void* stream);
const char* run(const Turn& turn, bool bf16, void* stream);
const char* run(const RmsSilu& rows, bool bf16, void* stream);

}  // namespace reel::kernels::gpu
