#include "reel/nn/convolution.h"

#include <ATen/ATen.h>

#include "reel/kernels/convolution.h"

namespace reel::nn {
namespace {

bool onednn_takes(c10::Device device, at::ScalarType dtype) {
  return device.is_cpu() && dtype == at::kFloat && at::hasMKLDNN();
}

at::Tensor five_dims(const at::Tensor& weight) {
  return weight.dim() == 4 ? weight.unsqueeze(2) : weight;
}

const weights::Packed* declare_packed(const weights::ParamScope& scope, at::IntArrayRef shape) {
  weights::ParamSet& set = scope.set();
  const bool ours = kernels::has_convolution(set.device(), set.compute(), shape);
  if (!ours && !onednn_takes(set.device(), set.compute())) return nullptr;
  const auto recipe = [ours](const std::vector<at::Tensor>& sources) {
    const at::Tensor weight = five_dims(sources[0]);
    return ours ? kernels::packed_weight(weight)
                : weight.contiguous(at::MemoryFormat::ChannelsLast3d);
  };
  weights::Param* weight = set.find(scope.prefix() + "weight");
  return &set.declare(weights::Packed{weight->name + ".packed", {weight}, recipe, {}});
}

/// As a matrix product over the values that each place of the output sees.
at::Tensor unfolded(const at::Tensor& x_BCTHW, const at::Tensor& weight_OCtyx,
                    const at::Tensor& bias) {
  const int64_t t = weight_OCtyx.size(2), y = weight_OCtyx.size(3), x = weight_OCtyx.size(4);
  const at::Tensor seen =
      at::constant_pad_nd(x_BCTHW.permute({0, 2, 3, 4, 1}), {0, 0, x / 2, x / 2, y / 2, y / 2})
          .unfold(1, t, 1)
          .unfold(2, y, 1)
          .unfold(3, x, 1)  // B T H W C t y x
          .permute({0, 1, 2, 3, 5, 6, 7, 4})
          .flatten(4);
  return at::linear(seen, weight_OCtyx.permute({0, 2, 3, 4, 1}).flatten(1), bias)
      .permute({0, 4, 1, 2, 3});
}

}  // namespace

Convolution::Convolution(const weights::ParamScope& scope, std::vector<int64_t> shape)
    : weight(scope.declare("weight", shape)),
      bias(scope.declare("bias", {shape[0]})),
      packed_weight(declare_packed(scope, shape)) {}

bool Convolution::is_packed() const { return packed_weight && packed_weight->tensor.defined(); }

at::Tensor Convolution::weight_OCtyx(int64_t taps) const {
  const at::Tensor all = is_packed() ? packed_weight->tensor : five_dims(weight.tensor);
  return taps > 0 ? all.narrow(2, all.size(2) - taps, taps) : all;
}

at::Tensor Convolution::operator()(const at::Tensor& x, int64_t taps) const {
  const bool onednn = onednn_takes(x.device(), x.scalar_type());
  if (!onednn && is_packed()) return kernels::convolution(x, weight_OCtyx(taps), bias.tensor);
  if (!onednn && weight.tensor.dim() == 4) {  // frames as a batch
    return at::conv2d(x.transpose(1, 2).flatten(0, 1), weight.tensor, bias.tensor, /*stride=*/1,
                      {weight.tensor.size(2) / 2, weight.tensor.size(3) / 2})
        .unflatten(0, {x.size(0), x.size(2)})
        .transpose(1, 2);
  }
  const at::Tensor w_OCtyx = weight_OCtyx(taps);
  const std::array<int64_t, 3> padding{0, w_OCtyx.size(3) / 2, w_OCtyx.size(4) / 2};
  const std::array<int64_t, 3> ones{1, 1, 1};
  if (!onednn) return at::conv3d(x, w_OCtyx, bias.tensor, ones, padding);
  const int64_t places = x.numel() / x.size(1) / x.size(2) * (x.size(2) + 1 - w_OCtyx.size(2));
  // oneDNN reorders the weight for each size of input: where the weight is the larger of the two,
  // that takes longer than all the rest.
  if (places < w_OCtyx.size(0)) return unfolded(x, w_OCtyx, bias.tensor);
  // ATen's own choice takes an input for small that has few rows, whatever their width, and then
  // leaves both oneDNN and the layout.
  return at::mkldnn_convolution(x, w_OCtyx, bias.tensor, padding, ones, ones, /*groups=*/1);
}

at::Tensor Convolution::strided(const at::Tensor& x, std::array<int64_t, 3> step) const {
  const std::array<int64_t, 3> ones{1, 1, 1}, none{0, 0, 0};
  if (!onednn_takes(x.device(), x.scalar_type())) {
    return at::conv3d(x, weight_OCtyx(), bias.tensor, step);
  }
  return at::mkldnn_convolution(x, weight_OCtyx(), bias.tensor, none, step, ones, /*groups=*/1);
}

}  // namespace reel::nn
