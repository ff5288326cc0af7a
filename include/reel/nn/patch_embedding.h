#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "reel/weights/param.h"

namespace reel::nn {

/// A 3D convolution whose stride is its kernel: a linear layer over patches.
struct PatchEmbedding {
  /// `patch`: frames, rows, columns.
  PatchEmbedding(const weights::ParamScope& scope, int64_t in, int64_t out,
                 std::array<int64_t, 3> patch);

  /// x [B, in, F, Y, X], of whole patches -> [B, patches, out], dtype of the weight.
  at::Tensor operator()(const at::Tensor& x_BCFYX) const;

  const weights::Param& weight;  // [out, in, frames, rows, columns]
  const weights::Param& bias;
};

}  // namespace reel::nn
