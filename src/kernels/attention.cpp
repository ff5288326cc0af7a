#include "reel/kernels/attention.h"

#include <algorithm>

#include "gpu_attention.h"
#include "on_gpu.h"

namespace reel::kernels {

bool has_attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd) {
  return q_BSHd.is_cuda() && q_BSHd.scalar_type() == at::kBFloat16 && q_BSHd.dim() == 4 &&
         q_BSHd.size(3) == gpu::kHeadDim && q_BSHd.numel() > 0 && k_BTHd.numel() > 0 &&
         std::max(q_BSHd.numel(), k_BTHd.numel()) / gpu::kHeadDim <= INT32_MAX && gpu::enabled();
}

bool prefers_exponents() { return gpu::enabled(/*measured=*/false); }

at::Tensor attention(const at::Tensor& q_BSHd, const at::Tensor& k_BTHd, const at::Tensor& v_BTHd,
                     bool exponents) {
  TORCH_CHECK(has_attention(q_BSHd, k_BTHd), "no attention for queries like these");
  const auto q = q_BSHd.contiguous(), k = k_BTHd.contiguous(), v = v_BTHd.contiguous();
  TORCH_CHECK(k.sizes() == v.sizes() && k.size(0) == q.size(0) && k.size(2) == q.size(2) &&
                  k.size(3) == q.size(3),
              "keys and values are of the queries' batch and heads");
  for (const at::Tensor& x : {k, v}) {
    TORCH_CHECK(x.dtype() == q.dtype() && x.device() == q.device(), "keys and values are like q");
  }
  auto out = at::empty_like(q);
  gpu::Attention work{.q = values<const void>(q),
                      .k = values<const void>(k),
                      .v = values<const void>(v),
                      .out = values<void>(out),
                      .batch = static_cast<int>(q.size(0)),
                      .heads = static_cast<int>(q.size(2)),
                      .queries = static_cast<int>(q.size(1)),
                      .keys = static_cast<int>(k.size(1)),
                      .exponents = exponents,
                      .again = nullptr};
  const auto again = at::zeros({gpu::tiles_of(work)}, q.options().dtype(at::kInt));
  work.again = values<uint32_t>(again);
  start_on_gpu(q, [&](void* stream) { return gpu::run(work, stream); });
  return out;
}

}  // namespace reel::kernels
