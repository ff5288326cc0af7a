#include "reel/nn/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdlib>

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

bool packs(const weights::ParamSet& set, at::ScalarType dtype) {
  return set.device().is_cpu() && onednn_takes(dtype);
}

const weights::Packed* declare_packed(const weights::ParamScope& scope) {
  weights::ParamSet& set = scope.set();
  weights::Param* weight = set.find(scope.prefix() + "weight");
  if (!packs(set, set.dtype_of(*weight))) return nullptr;
  const auto recipe = [](const std::vector<at::Tensor>& sources) { return pack(sources[0]); };
  return &set.declare(weights::Packed{weight->name + ".packed", {weight}, recipe, {}});
}

template <class NameOf>
const weights::Packed& declare_stacked(weights::ParamSet& set,
                                       const std::vector<const Linear*>& layers, NameOf name_of) {
  std::vector<weights::Param*> sources;
  for (const Linear* layer : layers) sources.push_back(set.find(name_of(*layer)));
  const auto recipe = [](const std::vector<at::Tensor>& parts) { return at::cat(parts); };
  return set.declare(weights::Packed{sources[0]->name + ".stacked", sources, recipe, {}});
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
  const auto y = at::linear(x, weight.tensor, b);
  return activation == Activation::GeluTanh ? at::gelu(y, "tanh") : y;
}

bool StackedLinear::asked_for(const weights::ParamSet& set) {
  const char* asked = std::getenv("REEL_STACKED_QKV");
  return asked && *asked == '1' && !packs(set, set.compute());
}

StackedLinear::StackedLinear(weights::ParamSet& set, const std::vector<const Linear*>& layers)
    : count_(static_cast<int64_t>(layers.size())),
      weight_(declare_stacked(set, layers, [](const Linear& l) { return l.weight.name; })),
      bias_(declare_stacked(set, layers, [](const Linear& l) { return l.bias->name; })) {}

std::vector<at::Tensor> StackedLinear::operator()(const at::Tensor& x) const {
  return at::linear(x, weight_.tensor, bias_.tensor).chunk(count_, -1);
}

}  // namespace reel::nn
