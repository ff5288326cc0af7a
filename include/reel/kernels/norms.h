#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

/// The chains of small operations between a transformer's matrix products, each in one pass.
///
/// B batch, S tokens, D width, R rows of modulation. Tokens are fp32 or bf16, the arithmetic is
/// fp32, and it is rounded to the tokens' dtype where Diffusers rounds. On a CPU and on a Hopper
/// GPU these are fused passes, elsewhere they are their twins in `plain`.
namespace reel::kernels {

/// Whether they are fused passes: fp32 or bf16, on a CPU or, unless REEL_FUSED_KERNELS=0, a Hopper
/// GPU.
bool has_passes(c10::Device device, c10::ScalarType dtype);

/// What scales and shifts normalised tokens: y·scale + shift, fp32.
///
/// One row holds for every token; with R rows, token n takes row `row_of[n]`, or, without
/// `row_of`, the tokens fall into R equal runs in order (one a batch entry).
struct Affine {
  at::Tensor scale_RD, shift_RD;
};

/// LayerNorm, then `affine`: x_BSD -> [B, S, D].
at::Tensor layer_norm(const at::Tensor& x_BSD, const Affine& affine, const at::Tensor& row_of_BS,
                      double eps);

/// x + y·gate_RD (fp32), rounded once.
at::Tensor add_gated(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                     const at::Tensor& row_of_BS);

struct Sum {
  at::Tensor x_BSD, normed_BSD;
};

/// x + y·gate_RD, without a gate x + y; and the layer_norm of that.
Sum add_and_norm(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                 const Affine& affine, const at::Tensor& row_of_BS, double eps);

/// x / rms(x) · weight_D over the whole last dim (all heads together), as at::rms_norm.
at::Tensor rms_norm(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps);

/// rms_norm, rounded, then each head's pairs (2r, 2r+1) of token s turned by the angles of row s.
/// cos_SR, sin_SR: fp32, R half a head; the heads are D / 2R.
at::Tensor rms_norm_rope(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps,
                         const at::Tensor& cos_SR, const at::Tensor& sin_SR);

/// The same in ATen's own operations: for every other device and dtype.
namespace plain {

at::Tensor layer_norm(const at::Tensor& x_BSD, const Affine& affine, const at::Tensor& row_of_BS,
                      double eps);
at::Tensor add_gated(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                     const at::Tensor& row_of_BS);
Sum add_and_norm(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                 const Affine& affine, const at::Tensor& row_of_BS, double eps);
at::Tensor rms_norm(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps);
at::Tensor rms_norm_rope(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps,
                         const at::Tensor& cos_SR, const at::Tensor& sin_SR);

}  // namespace plain
}  // namespace reel::kernels
