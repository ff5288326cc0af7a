#pragma once

#include <ATen/core/Tensor.h>

namespace reel::kernels {

/// Whether there is an `attention` for these: bf16 in heads of 128, on a Hopper GPU, unless
/// REEL_FUSED_KERNELS=0.
bool has_attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd);

/// Whether scores are better exponents of two. No GPU has measured it: with REEL_FUSED_KERNELS=1.
bool prefers_exponents();

/// softmax(q kᵀ / √d) v for each head, unmasked: q [B, S, H, d], k and v [B, T, H, d] ->
/// [B, S, H, d] in memory. Scores, exponentials and sums are fp32; exponentials are rounded to bf16
/// before they are multiplied by v, as other flash attentions do. With `exponents`, of two, weights
/// are in proportion to 2 to the q kᵀ: whoever made q multiplied by log₂(e) / √d.
at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd,
                     bool exponents = false);

}  // namespace reel::kernels
