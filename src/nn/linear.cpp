#include "reel/nn/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace reel::nn {
namespace {

using OptionalTensor = std::optional<at::Tensor>;

bool onednn_takes(at::ScalarType dtype) {
  if (!at::globalContext().userEnabledMkldnn()) return false;
  if (dtype == at::kFloat) return at::hasMKLDNN();
  static const auto supported = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("mkldnn::_is_mkldnn_bf16_supported", "")
                                    .typed<bool()>();
  return dtype == at::kBFloat16 && supported.call();
}

/// W [out, in] in the blocks that oneDNN chooses.
at::Tensor pack(const at::Tensor& weight) {
  static const auto reorder =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("mkldnn::_reorder_linear_weight", "")
          .typed<at::Tensor(const at::Tensor&, std::optional<c10::SymInt>)>();
  static const std::optional<c10::SymInt> any_batch;  // GCC 12 calls a temporary uninitialised
  return reorder.call(weight, any_batch);
}

at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const OptionalTensor& bias,
                         Activation activation) {
  static const auto linear =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
          .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const OptionalTensor&,
                            std::string_view, c10::List<std::optional<at::Scalar>>,
                            std::optional<std::string_view>)>();
  const bool gelu = activation == Activation::GeluTanh;
  return linear.call(x, weight, bias, gelu ? "gelu" : "none",
                     c10::List<std::optional<at::Scalar>>(), gelu ? "tanh" : "");
}

const weights::Packed* declare_packed(const weights::ParamScope& scope) {
  weights::ParamSet& set = scope.set();
  weights::Param* weight = set.find(scope.prefix() + "weight");
  if (!set.device().is_cpu() || !onednn_takes(set.dtype_of(*weight))) return nullptr;
  const auto recipe = [](const std::vector<at::Tensor>& sources) { return pack(sources[0]); };
  return &set.declare(weights::Packed{weight->name + ".packed", {weight}, recipe, {}});
}

}  // namespace

Linear::Linear(const weights::ParamScope& scope, int64_t in, int64_t out, bool with_bias,
               weights::Keep keep, Activation activation_)
    : weight(scope.declare("weight", {out, in}, keep)),
      bias(with_bias ? &scope.declare("bias", {out}, keep) : nullptr),
      packed_weight(declare_packed(scope)),
      activation(activation_) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const OptionalTensor b = bias ? OptionalTensor(bias->tensor) : std::nullopt;
  if (packed_weight && packed_weight->tensor.defined()) {
    return packed_linear(x, packed_weight->tensor, b, activation);
  }
  // On a GPU the product ends with it, before it rounds.
  if (activation == Activation::GeluTanh && b && x.is_cuda() && x.scalar_type() == at::kBFloat16) {
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes.back() = weight.tensor.size(0);
    return at::_addmm_activation(*b, x.reshape({-1, x.size(-1)}), weight.tensor.t(), 1, 1,
                                 /*use_gelu=*/true)
        .view(sizes);
  }
  const auto y = at::linear(x, weight.tensor, b);
  return activation == Activation::GeluTanh ? at::gelu(y, "tanh") : y;
}

}  // namespace reel::nn
