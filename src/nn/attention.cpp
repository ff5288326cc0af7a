#include "reel/nn/attention.h"

#include <ATen/ATen.h>
#include <ATen/SDPBackend.h>

#include "reel/base/log.h"
#include "reel/kernels/attention.h"

namespace reel::nn {
namespace {

/// With fewer keys cuDNN is as fast or faster (an H200, 12 heads).
constexpr int64_t kManyKeys = 2048;

bool ours(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd) {
  return k_BTHd.size(1) >= kManyKeys && kernels::has_attention(q_BSHd, k_BTHd);
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

at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd,
                     bool exponents) {
  if (ours(q_BSHd, k_BTHd)) return kernels::attention(q_BSHd, k_BTHd, v_BTHd, exponents);
  TORCH_CHECK(!exponents, "no attention by exponents for queries like these");
  return at::scaled_dot_product_attention(q_BSHd.transpose(1, 2), k_BTHd.transpose(1, 2),
                                          v_BTHd.transpose(1, 2))
      .transpose(1, 2);
}

bool prefers_exponents(const at::Tensor& tokens_BSHd) {
  return ours(tokens_BSHd, tokens_BSHd) && kernels::prefers_exponents();
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
