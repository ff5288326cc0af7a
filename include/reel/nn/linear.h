#pragma once

#include <ATen/core/Tensor.h>

#include "reel/weights/param.h"

namespace reel::nn {

/// What a layer does to its output, fused where the device can.
enum class Activation { None, GeluTanh };

/// y = activation(x Wᵀ + b), with W [out, in].
///
/// On the CPU the weight is packed after loading, once, into oneDNN's layout.
struct Linear {
  Linear(const weights::ParamScope& scope, int64_t in, int64_t out, bool with_bias = true,
         weights::Keep keep = weights::Keep::Compute, Activation activation = Activation::None);

  /// x [..., in] -> [..., out], dtype of x, which is W's.
  at::Tensor operator()(const at::Tensor& x) const;

  const weights::Param& weight;
  const weights::Param* bias;            // null: none
  const weights::Packed* packed_weight;  // null: none on this device
  Activation activation;
};

}  // namespace reel::nn
