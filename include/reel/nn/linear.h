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

/// Layers that read the same, as one product: their weights are stacked after loading.
class StackedLinear {
 public:
  /// Whether layers of `set` are to be stacked: not where each is packed by itself, and elsewhere
  /// if REEL_STACKED_QKV=1 asks for it (until that is measured).
  static bool asked_for(const weights::ParamSet& set);

  /// Of layers alike in size, with biases, and not packed.
  StackedLinear(weights::ParamSet& set, const std::vector<const Linear*>& layers);

  /// x [..., in] -> of each layer [..., out], views of one tensor.
  std::vector<at::Tensor> operator()(const at::Tensor& x) const;

 private:
  const int64_t count_;
  const weights::Packed &weight_, &bias_;
};

}  // namespace reel::nn
