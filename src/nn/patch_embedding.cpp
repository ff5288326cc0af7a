#include "reel/nn/patch_embedding.h"

#include <ATen/ATen.h>

namespace reel::nn {

PatchEmbedding::PatchEmbedding(const weights::ParamScope& scope, int64_t in, int64_t out,
                               std::array<int64_t, 3> patch)
    : weight(scope.declare("weight", {out, in, patch[0], patch[1], patch[2]})),
      bias(scope.declare("bias", {out})) {}

at::Tensor PatchEmbedding::operator()(const at::Tensor& x) const {
  const int64_t pf = weight.shape[2], py = weight.shape[3], px = weight.shape[4];
  const int64_t frames = x.size(2) / pf, rows = x.size(3) / py, columns = x.size(4) / px;
  const auto patches_BSP = x.to(weight.tensor.scalar_type())
                               .reshape({x.size(0), x.size(1), frames, pf, rows, py, columns, px})
                               .permute({0, 2, 4, 6, 1, 3, 5, 7})
                               .reshape({x.size(0), frames * rows * columns, -1});
  return at::linear(patches_BSP, weight.tensor.flatten(1), bias.tensor);
}

}  // namespace reel::nn
