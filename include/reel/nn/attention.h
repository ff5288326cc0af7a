#pragma once

#include <ATen/core/Tensor.h>

namespace reel::nn {

/// softmax(q kᵀ / √d) v for each head, unmasked: q [B, S, H, d], k and v [B, T, H, d] ->
/// [B, S, H, d], dtype of q. With `exponents` whoever made q multiplied it by log₂(e) / √d.
at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd,
                     bool exponents = false);

/// Whether tokens like these, that attend to each other, are best given as `exponents`, and may be.
bool prefers_exponents(const at::Tensor& tokens_BSHd);

/// Logs whose attention over a video's tokens a transformer in bf16 gets on `device`: "reel", or
/// torch's "cuDNN", "flash" …; on a CPU nothing. Which it is decides most of a step's time.
void log_attention(c10::Device device);

}  // namespace reel::nn
