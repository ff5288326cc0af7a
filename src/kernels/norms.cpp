#include "reel/kernels/norms.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <type_traits>
#include <vector>

#include "cpu_rows.h"

namespace reel::kernels {
namespace {

bool fused(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

/// Calls work with the type of x's values in memory: float, or the bits of bf16.
template <class Work>
void with_type(const at::Tensor& x, const Work& work) {
  x.scalar_type() == at::kFloat ? work(std::type_identity<float>{})
                                : work(std::type_identity<cpu::Bf16>{});
}

template <class T>
T* values(const at::Tensor& x) {
  return static_cast<T*>(x.data_ptr());
}

/// Which row of modulation is whose, as Affine says.
class Rows {
 public:
  Rows(const at::Tensor& values_RD, const at::Tensor& row_of_BS, const at::Tensor& x_BSD)
      : kept_(values_RD.defined() && values_RD.stride(1) != 1 ? values_RD.contiguous()
                                                              : values_RD) {
    if (!kept_.defined()) return;
    const int64_t D = x_BSD.size(-1), tokens = x_BSD.numel() / D;
    TORCH_CHECK(kept_.scalar_type() == at::kFloat && kept_.is_cpu() && kept_.size(1) == D,
                "rows are fp32, on the CPU, as wide as the tokens");
    first_ = kept_.const_data_ptr<float>();
    if (kept_.size(0) == 1) return;
    stride_ = kept_.stride(0);
    if (row_of_BS.defined()) {
      index_ = row_of_BS.contiguous();
      TORCH_CHECK(index_.numel() == tokens, "one row index a token");
      row_of_ = index_.const_data_ptr<int64_t>();
    } else {
      TORCH_CHECK(tokens % kept_.size(0) == 0, "tokens fall into equal runs");
      run_ = tokens / kept_.size(0);
    }
  }

  bool defined() const { return first_ != nullptr; }
  const float* of(int64_t token) const {
    return first_ + stride_ * (row_of_ ? row_of_[token] : token / run_);
  }

 private:
  at::Tensor kept_, index_;
  const float* first_ = nullptr;
  const int64_t* row_of_ = nullptr;
  int64_t stride_ = 0, run_ = 1;
};

/// Calls work(token, scratch) for every token, in parallel; scratch holds 2·D values.
template <class Work>
void for_tokens(const at::Tensor& x_BSD, const Work& work) {
  const int64_t D = x_BSD.size(-1), tokens = x_BSD.numel() / D;
  at::parallel_for(0, tokens, at::divup(int64_t{1} << 14, D), [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(2 * D));
    for (int64_t n = begin; n < end; ++n) work(n, scratch.data());
  });
}

/// The whole chain; what is undefined is left out.
void run(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
         const Affine& affine, const at::Tensor& row_of_BS, double eps, const at::Tensor& sum_BSD,
         const at::Tensor& normed_BSD) {
  TORCH_CHECK(
      !y_BSD.defined() || (y_BSD.sizes() == x_BSD.sizes() && y_BSD.dtype() == x_BSD.dtype()),
      "what is added is like what it is added to");
  const int64_t D = x_BSD.size(-1);
  const Rows gate(gate_RD, row_of_BS, x_BSD), scale(affine.scale_RD, row_of_BS, x_BSD),
      shift(affine.shift_RD, row_of_BS, x_BSD);
  with_type(x_BSD, [&]<class T>(std::type_identity<T>) {
    for_tokens(x_BSD, [&](int64_t n, float* row) {
      cpu::load(values<const T>(x_BSD) + n * D, row, D);
      if (y_BSD.defined()) {
        float* y = row + D;
        cpu::load(values<const T>(y_BSD) + n * D, y, D);
        gate.defined() ? cpu::add_gated(row, y, gate.of(n), D) : cpu::add(row, y, D);
        cpu::store(row, values<T>(sum_BSD) + n * D, D);
        cpu::load(values<T>(sum_BSD) + n * D, row, D);
      }
      if (normed_BSD.defined()) {
        cpu::layer_norm(row, scale.of(n), shift.of(n), static_cast<float>(eps), D);
        cpu::store(row, values<T>(normed_BSD) + n * D, D);
      }
    });
  });
}

}  // namespace

at::Tensor layer_norm(const at::Tensor& x_BSD, const Affine& affine, const at::Tensor& row_of_BS,
                      double eps) {
  if (!fused(x_BSD)) return plain::layer_norm(x_BSD, affine, row_of_BS, eps);
  const auto x = x_BSD.contiguous();
  auto normed = at::empty_like(x);
  run(x, {}, {}, affine, row_of_BS, eps, {}, normed);
  return normed;
}

at::Tensor add_gated(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                     const at::Tensor& row_of_BS) {
  if (!fused(x_BSD)) return plain::add_gated(x_BSD, y_BSD, gate_RD, row_of_BS);
  const auto x = x_BSD.contiguous();
  auto sum = at::empty_like(x);
  run(x, y_BSD.contiguous(), gate_RD, {}, row_of_BS, 0, sum, {});
  return sum;
}

Sum add_and_norm(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                 const Affine& affine, const at::Tensor& row_of_BS, double eps) {
  if (!fused(x_BSD)) return plain::add_and_norm(x_BSD, y_BSD, gate_RD, affine, row_of_BS, eps);
  const auto x = x_BSD.contiguous();
  Sum result{at::empty_like(x), at::empty_like(x)};
  run(x, y_BSD.contiguous(), gate_RD, affine, row_of_BS, eps, result.x_BSD, result.normed_BSD);
  return result;
}

at::Tensor rms_norm(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps) {
  return fused(x_BSD) ? rms_norm_rope(x_BSD, weight_D, eps, {}, {})
                      : plain::rms_norm(x_BSD, weight_D, eps);
}

at::Tensor rms_norm_rope(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps,
                         const at::Tensor& cos_SR, const at::Tensor& sin_SR) {
  if (!fused(x_BSD)) return plain::rms_norm_rope(x_BSD, weight_D, eps, cos_SR, sin_SR);
  const int64_t D = x_BSD.size(-1), S = x_BSD.size(-2);
  const auto x = x_BSD.contiguous(), weight = weight_D.to(at::kFloat).contiguous();
  const auto cos = cos_SR.contiguous(), sin = sin_SR.contiguous();
  const int64_t R = cos_SR.defined() ? cos_SR.size(1) : 0;
  TORCH_CHECK(weight.numel() == D, "a weight for each value of a token");
  TORCH_CHECK(R == 0 || (cos.size(0) == S && sin.sizes() == cos.sizes() && D % (2 * R) == 0),
              "angles for each token, of whole heads");
  auto result = at::empty_like(x);
  with_type(x, [&]<class T>(std::type_identity<T>) {
    for_tokens(x, [&](int64_t n, float* row) {
      T* out = values<T>(result) + n * D;
      cpu::load(values<const T>(x) + n * D, row, D);
      cpu::rms_norm(row, weight.const_data_ptr<float>(), static_cast<float>(eps), D);
      cpu::store(row, out, D);
      if (R == 0) return;
      cpu::load(out, row, D);
      const float* angles[] = {cos.const_data_ptr<float>() + n % S * R,
                               sin.const_data_ptr<float>() + n % S * R};
      for (int64_t i = 0; i < D; i += 2 * R) cpu::rotate(row + i, angles[0], angles[1], 2 * R);
      cpu::store(row, out, D);
    });
  });
  return result;
}

}  // namespace reel::kernels
