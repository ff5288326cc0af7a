#pragma once

#include <ATen/core/Tensor.h>

#include "reel/kernels/norms.h"
#include "reel/weights/param.h"

namespace reel::nn {

/// The learned scale and shift of a LayerNorm, kept in fp32; kernels::layer_norm applies them.
struct LayerNorm {
  LayerNorm(const weights::ParamScope& scope, int64_t width);

  kernels::Affine affine() const;

  const weights::Param& weight;
  const weights::Param& bias;
};

/// RMSNorm over the whole width, all heads together.
struct RmsNorm {
  RmsNorm(const weights::ParamScope& scope, int64_t width, double eps);

  /// x [..., width] -> the same, dtype of x; fp32 inside.
  at::Tensor operator()(const at::Tensor& x) const;

  const weights::Param& weight;
  double eps;
};

}  // namespace reel::nn
