#include "reel/nn/attention.h"

#include <ATen/ATen.h>
#include <ATen/SDPBackend.h>

#include <cmath>

#include "reel/base/log.h"
#include "reel/kernels/attention.h"

namespace reel::nn {
namespace {

/// With fewer keys cuDNN is as fast or faster (an H200, 12 heads).
constexpr int64_t kManyKeys = 2048;

bool ours(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd) {
  return k_BTHd.size(1) >= kManyKeys && kernels::has_attention(q_BSHd, k_BTHd);
}

bool by_exponents(const at::Tensor& q_BSHd) {
  return ours(q_BSHd, q_BSHd) && kernels::prefers_exponents();
}

const char* backend_of(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd) {
  if (ours(q_BSHd, k_BTHd)) return "reel";
  const auto q = q_BSHd.transpose(1, 2), k = k_BTHd.transpose(1, 2);
  switch (static_cast<at::SDPBackend>(at::_fused_sdp_choice(q, k, k))) {
    case at::SDPBackend::math:
      return "math";
    case at::SDPBackend::flash_attention:
      return "flash";
    case at::SDPBackend::efficient_attention:
      return "memory-efficient";
    case at::SDPBackend::cudnn_attention:
      return "cuDNN";
    default:
      return "other";
  }
}

}  // namespace

at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd) {
  if (ours(q_BSHd, k_BTHd)) return kernels::attention(q_BSHd, k_BTHd, v_BTHd);
  return at::scaled_dot_product_attention(q_BSHd.transpose(1, 2), k_BTHd.transpose(1, 2),
                                          v_BTHd.transpose(1, 2))
      .transpose(1, 2);
}

double query_factor(const at::Tensor& tokens_BSHd) {
  return by_exponents(tokens_BSHd) ? M_LOG2E / std::sqrt(tokens_BSHd.size(3)) : 1;
}

at::Tensor attention_of_scaled(const at::Tensor& q_BSHd, const at::Tensor& k_BSHd,
                               const at::Tensor& v_BSHd) {
  return by_exponents(q_BSHd) ? kernels::attention(q_BSHd, k_BSHd, v_BSHd, /*exponents=*/true)
                              : attention(q_BSHd, k_BSHd, v_BSHd);
}

void log_attention(c10::Device device) {
  if (!device.is_cuda()) return;
  constexpr int kHeads = 12, kHeadDim = 128;
  const auto q_BSHd =
      at::empty({1, kManyKeys, kHeads, kHeadDim}, at::device(device).dtype(at::kBFloat16));
  log::info("attention.chosen", {{"backend", backend_of(q_BSHd, q_BSHd)},
                                 {"dtype", "bf16"},
                                 {"heads", kHeads},
                                 {"tokens", kManyKeys},
                                 {"head_dim", kHeadDim}});
}

}  // namespace reel::nn
