#pragma once

#include <ATen/core/Tensor.h>

#include "reel/weights/param.h"

namespace reel::nn {

/// y = x Wᵀ + b, with W [out, in].
struct Linear {
  Linear(const weights::ParamScope& scope, int64_t in, int64_t out, bool with_bias = true,
         weights::Keep keep = weights::Keep::Compute);

  /// x [..., in] -> [..., out], dtype of x, which is W's.
  at::Tensor operator()(const at::Tensor& x) const;

  const weights::Param& weight;
  const weights::Param* bias;  // null: none
};

}  // namespace reel::nn
