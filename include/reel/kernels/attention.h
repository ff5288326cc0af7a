#pragma once

#include <ATen/core/Tensor.h>

namespace reel::kernels {

/// Whether there is an `attention` for these: bf16 in heads of 128, on a Hopper GPU, unless
/// REEL_FUSED_KERNELS=0.
bool has_attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd);

/// softmax(q kᵀ / √d) v for each head, unmasked: q [B, S, H, d], k and v [B, T, H, d] ->
/// [B, S, H, d] in memory. Scores, exponentials and sums are fp32; exponentials are rounded to bf16
/// before they are multiplied by v, as other flash attentions do.
at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd);

}  // namespace reel::kernels
