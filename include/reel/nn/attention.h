#pragma once

#include <ATen/core/Tensor.h>

namespace reel::nn {

/// softmax(q kᵀ / √d) v for each head, unmasked: q [B, S, H, d], k and v [B, T, H, d] ->
/// [B, S, H, d], dtype of q.
at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd);

/// What queries of tokens like these, that attend to each other, are best multiplied by while they
/// are made in fp32: log₂(e) / √d, so that scores are exponents of two; or 1, as attention wants
/// them.
double query_factor(const at::Tensor& tokens_BSHd);

/// attention of queries that were multiplied by query_factor.
at::Tensor attention_of_scaled(const at::Tensor& q_BSHd, const at::Tensor& k_BSHd,
                               const at::Tensor& v_BSHd);

/// Logs whose attention over a video's tokens a transformer in bf16 gets on `device`: "reel", or
/// torch's "cuDNN", "flash" …; on a CPU nothing. Which it is decides most of a step's time.
void log_attention(c10::Device device);

}  // namespace reel::nn
