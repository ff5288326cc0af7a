#pragma once

#include <ATen/core/Tensor.h>

namespace reel::nn {

/// softmax(q kᵀ / √d) v for each head, unmasked: q [B, S, H, d], k and v [B, T, H, d] ->
/// [B, S, H, d], dtype of q.
at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd);

}  // namespace reel::nn
