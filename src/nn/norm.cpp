#include "reel/nn/norm.h"

#include <ATen/ATen.h>

namespace reel::nn {

LayerNorm::LayerNorm(const weights::ParamScope& scope, int64_t width)
    : weight(scope.declare("weight", {width}, weights::Keep::Fp32)),
      bias(scope.declare("bias", {width}, weights::Keep::Fp32)) {}

kernels::Affine LayerNorm::affine() const {
  return {weight.tensor.unsqueeze(0), bias.tensor.unsqueeze(0)};
}

RmsNorm::RmsNorm(const weights::ParamScope& scope, int64_t width, double eps_)
    : weight(scope.declare("weight", {width})), eps(eps_) {}

at::Tensor RmsNorm::operator()(const at::Tensor& x) const {
  return kernels::rms_norm(x, weight.tensor, eps);
}

}  // namespace reel::nn
