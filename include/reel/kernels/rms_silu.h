#pragma once

#include <ATen/core/Tensor.h>

/// What stands before every convolution of Wan's autoencoder, along the last dim of C channels.
namespace reel::kernels {

/// y = silu(x / ‖x‖₂ · √C · gamma), computed in fp32, in one pass; where there is none, `plain`.
///
/// x [..., C]; gamma [C]; y of x's shape and dtype, and maybe a part of a larger tensor.
void rms_silu_out(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& y);

/// In ATen's own operations: for every other device and dtype.
namespace plain {

at::Tensor rms_silu(const at::Tensor& x, const at::Tensor& gamma);
/// The norm alone.
at::Tensor rms(const at::Tensor& x, const at::Tensor& gamma);

}  // namespace plain
}  // namespace reel::kernels
