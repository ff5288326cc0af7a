#include "reel/kernels/convolution.h"

#include "gpu_convolution.h"
#include "on_gpu.h"

namespace reel::kernels {

bool has_convolution(c10::Device device, c10::ScalarType dtype, at::IntArrayRef weight) {
  const bool may =
      dtype == at::kBFloat16 || (dtype == at::kFloat && at::globalContext().allowTF32CuDNN());
  const size_t axes = weight.size();
  return device.is_cuda() && may && axes >= 4 && weight[axes - 1] == 3 && weight[axes - 2] == 3 &&
         gpu::has_convolution(dtype == at::kBFloat16, weight[1], weight[0]) && gpu::enabled();
}

at::Tensor packed_weight(const at::Tensor& weight_OCtyx) {
  auto packed = weight_OCtyx.contiguous(at::MemoryFormat::ChannelsLast3d);
  if (packed.scalar_type() != at::kFloat) return packed;
  constexpr int kDropped = 13;  // bits
  const auto bits = packed.view(at::kInt);
  const auto rounded = bits.add(1 << (kDropped - 1)).bitwise_and_(-(1 << kDropped));
  return at::where(packed.isnan(), packed, rounded.view(at::kFloat));
}

at::Tensor convolution(const at::Tensor& x_BCTHW, const at::Tensor& packed_OCtyx,
                       const at::Tensor& bias_O) {
  const auto x = x_BCTHW.contiguous(at::MemoryFormat::ChannelsLast3d);
  const auto bias = bias_O.contiguous();
  const at::Tensor& w = packed_OCtyx;
  const bool bf16 = x.scalar_type() == at::kBFloat16;
  TORCH_CHECK(x.is_cuda() && (bf16 || x.scalar_type() == at::kFloat) && w.dim() == 5 &&
                  w.size(3) == 3 && w.size(4) == 3 &&
                  gpu::has_convolution(bf16, w.size(1), w.size(0)),
              "no convolution by weights like these");
  for (const at::Tensor& other : {w, bias}) {
    TORCH_CHECK(other.dtype() == x.dtype() && other.device() == x.device(),
                "weight and bias are like x");
  }
  TORCH_CHECK(w.stride(1) == 1 && w.stride(4) == w.size(1) && w.stride(3) == 3 * w.size(1) &&
                  w.stride(2) == 9 * w.size(1),
              "the weight is packed");
  TORCH_CHECK(x.size(1) == w.size(1) && x.size(2) >= w.size(2) && bias.numel() == w.size(0),
              "channels and frames are the weight's");
  TORCH_CHECK(x.numel() / x.size(1) <= INT32_MAX, "places are counted in 31 bits");
  auto y = at::empty({x.size(0), w.size(0), x.size(2) - w.size(2) + 1, x.size(3), x.size(4)},
                     x.options().memory_format(at::MemoryFormat::ChannelsLast3d));
  if (y.numel() == 0) return y;
  const auto axis = [](const at::Tensor& t, int64_t dim) { return static_cast<int>(t.size(dim)); };
  const gpu::Convolution work{.bf16 = bf16,
                              .x = values<const void>(x),
                              .weight = values<const void>(w),
                              .bias = values<const void>(bias),
                              .y = values<void>(y),
                              .batch = axis(x, 0),
                              .frames = axis(x, 2),
                              .rows = axis(x, 3),
                              .columns = axis(x, 4),
                              .in = axis(x, 1),
                              .out = axis(w, 0),
                              .taps = axis(w, 2),
                              .stride = w.stride(0)};
  start_on_gpu(x, [&](void* stream) { return gpu::run(work, stream); });
  return y;
}

}  // namespace reel::kernels
