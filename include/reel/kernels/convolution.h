#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace reel::kernels {

/// Whether there is a `convolution` by weights of this shape, [out, in, frames, rows, columns] or
/// [out, in, rows, columns]: 3 × 3, in channels that it takes, on a Hopper GPU, in bf16, or in fp32
/// where convolutions may use TF32; not with REEL_FUSED_KERNELS=0.
bool has_convolution(c10::Device device, c10::ScalarType dtype, at::IntArrayRef weight);

/// Weights as `convolution` reads them: channels_last_3d, of fp32 rounded to TF32.
at::Tensor packed_weight(const at::Tensor& weight_OCtyx);

/// Padded with zeros by one place in space, not in time: x [B, C, T, H, W] ->
/// [B, O, T − t + 1, H, W] in channels_last_3d. The sums and the bias are fp32, rounded once.
/// `packed`: the last taps in time of a packed_weight, or all.
at::Tensor convolution(const at::Tensor& x_BCTHW, const at::Tensor& packed_OCtyx,
                       const at::Tensor& bias_O);

}  // namespace reel::kernels
