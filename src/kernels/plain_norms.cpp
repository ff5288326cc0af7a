#include <ATen/ATen.h>

#include "reel/kernels/norms.h"

namespace reel::kernels::plain {
namespace {

/// rows_RD as something that broadcasts against [B, S, D].
at::Tensor per_token(const at::Tensor& rows_RD, const at::Tensor& row_of_BS,
                     const at::Tensor& x_BSD) {
  const int64_t R = rows_RD.size(0), D = rows_RD.size(1);
  if (R == 1) return rows_RD;
  if (row_of_BS.defined()) return rows_RD.index_select(0, row_of_BS.flatten()).view_as(x_BSD);
  const int64_t tokens = x_BSD.numel() / D;
  return rows_RD.unsqueeze(1).expand({R, tokens / R, D}).reshape_as(x_BSD);
}

}  // namespace

at::Tensor layer_norm(const at::Tensor& x_BSD, const Affine& affine, const at::Tensor& row_of_BS,
                      double eps) {
  const auto normed = at::layer_norm(x_BSD.to(at::kFloat), {x_BSD.size(-1)}, {}, {}, eps);
  return (normed * per_token(affine.scale_RD, row_of_BS, x_BSD) +
          per_token(affine.shift_RD, row_of_BS, x_BSD))
      .to(x_BSD.scalar_type());
}

at::Tensor add_gated(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                     const at::Tensor& row_of_BS) {
  return (x_BSD.to(at::kFloat) + y_BSD * per_token(gate_RD, row_of_BS, x_BSD))
      .to(x_BSD.scalar_type());
}

Sum add_and_norm(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                 const Affine& affine, const at::Tensor& row_of_BS, double eps) {
  const auto sum = gate_RD.defined() ? plain::add_gated(x_BSD, y_BSD, gate_RD, row_of_BS)
                                     : at::add(x_BSD, y_BSD);
  return {sum, plain::layer_norm(sum, affine, row_of_BS, eps)};
}

at::Tensor rms_norm(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps) {
  return at::rms_norm(x_BSD, {x_BSD.size(-1)}, weight_D, eps);
}

at::Tensor rms_norm_rope(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps,
                         const at::Tensor& cos_SR, const at::Tensor& sin_SR) {
  const int64_t R = cos_SR.size(1);
  const auto pairs =
      plain::rms_norm(x_BSD, weight_D, eps).unflatten(-1, {-1, R, 2});  // [B, S, H, R, 2]
  const auto even = pairs.select(-1, 0), odd = pairs.select(-1, 1);
  const auto cos = cos_SR.unsqueeze(1), sin = sin_SR.unsqueeze(1);
  return at::stack({even * cos - odd * sin, even * sin + odd * cos}, -1)
      .to(x_BSD.scalar_type())
      .view_as(x_BSD);
}

}  // namespace reel::kernels::plain
