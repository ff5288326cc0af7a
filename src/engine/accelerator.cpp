#include "accelerator.h"

#include <ATen/ATen.h>
#include <ATen/SDPBackend.h>

#include "reel/base/log.h"

namespace reel::engine {
namespace {

const char* name_of(at::SDPBackend backend) {
  switch (backend) {
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

void set_fp32_precision() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(true);
}

void log_attention(c10::Device device) {
  if (!device.is_cuda()) return;
  // As nn::attention passes them: [B, S, H, d] in memory.
  const auto q_BHSd =
      at::empty({1, 1280, 12, 128}, at::device(device).dtype(at::kBFloat16)).transpose(1, 2);
  const auto backend = static_cast<at::SDPBackend>(at::_fused_sdp_choice(q_BHSd, q_BHSd, q_BHSd));
  log::info("attention.chosen", {{"backend", name_of(backend)},
                                 {"dtype", "bf16"},
                                 {"heads", 12},
                                 {"tokens", 1280},
                                 {"head_dim", 128}});
}

}  // namespace reel::engine
