#include "reel/nn/linear.h"

#include <ATen/ATen.h>

namespace reel::nn {

Linear::Linear(const weights::ParamScope& scope, int64_t in, int64_t out, bool with_bias,
               weights::Keep keep)
    : weight(scope.declare("weight", {out, in}, keep)),
      bias(with_bias ? &scope.declare("bias", {out}, keep) : nullptr) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return at::linear(x, weight.tensor, bias ? bias->tensor : at::Tensor());
}

}  // namespace reel::nn
