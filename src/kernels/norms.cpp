#include "reel/kernels/norms.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <type_traits>
#include <vector>

#include "cpu_rows.h"
#include "on_gpu.h"

namespace reel::kernels {
namespace {

/// Calls work with the type of x's values in memory: float, or the bits of bf16.
template <class Work>
void with_type(const at::Tensor& x, const Work& work) {
  x.scalar_type() == at::kFloat ? work(std::type_identity<float>{})
                                : work(std::type_identity<Bf16>{});
}

/// Which row of modulation is whose, as Affine says; the tensors live as long as this.
struct Rows {
  Rows(const at::Tensor& values_RD, const at::Tensor& row_of_BS, const at::Tensor& x_BSD) {
    if (!values_RD.defined()) return;
    const int64_t D = x_BSD.size(-1), tokens = x_BSD.numel() / D, R = values_RD.size(0);
    kept = values_RD.stride(1) == 1 ? values_RD : values_RD.contiguous();
    TORCH_CHECK(
        kept.scalar_type() == at::kFloat && kept.device() == x_BSD.device() && kept.size(1) == D,
        "rows are fp32, beside the tokens and as wide");
    table.first = kept.const_data_ptr<float>();
    table.run = static_cast<uint32_t>(tokens);
    if (R == 1) return;
    table.stride = kept.stride(0);
    if (row_of_BS.defined()) {
      index = row_of_BS.contiguous();
      TORCH_CHECK(index.numel() == tokens && index.device() == x_BSD.device(),
                  "one row index a token, beside it");
      table.row_of = index.const_data_ptr<int64_t>();
    } else {
      TORCH_CHECK(tokens % R == 0, "tokens fall into equal runs");
      table.run = static_cast<uint32_t>(tokens / R);
    }
  }

  at::Tensor kept, index;
  RowTable table;
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

void run_on_cpu(const Chain& c, const at::Tensor& x_BSD) {
  const int64_t D = c.width;
  with_type(x_BSD, [&]<class T>(std::type_identity<T>) {
    const auto at = [D](const void* tokens, int64_t n) {
      return static_cast<const T*>(tokens) + n * D;
    };
    const auto of = [D](void* tokens, int64_t n) { return static_cast<T*>(tokens) + n * D; };
    for_tokens(x_BSD, [&](int64_t n, float* row) {
      const auto token = static_cast<uint32_t>(n);
      cpu::load(at(c.x, n), row, D);
      if (c.y) {
        float* y = row + D;
        cpu::load(at(c.y, n), y, D);
        c.gate.first ? cpu::add_gated(row, y, c.gate.of(token), D) : cpu::add(row, y, D);
        cpu::store(row, of(c.sum, n), D);
        cpu::load(of(c.sum, n), row, D);
      }
      if (c.normed) {
        cpu::layer_norm(row, c.scale.of(token), c.shift.of(token), c.eps, D);
        cpu::store(row, of(c.normed, n), D);
      }
    });
  });
}

/// The whole chain; what is undefined is left out.
void run(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
         const Affine& affine, const at::Tensor& row_of_BS, double eps, const at::Tensor& sum_BSD,
         const at::Tensor& normed_BSD) {
  TORCH_CHECK(
      !y_BSD.defined() || (y_BSD.sizes() == x_BSD.sizes() && y_BSD.dtype() == x_BSD.dtype()),
      "what is added is like what it is added to");
  const Rows gate(gate_RD, row_of_BS, x_BSD), scale(affine.scale_RD, row_of_BS, x_BSD),
      shift(affine.shift_RD, row_of_BS, x_BSD);
  const Chain chain{.x = values<const void>(x_BSD),
                    .y = values<const void>(y_BSD),
                    .gate = gate.table,
                    .scale = scale.table,
                    .shift = shift.table,
                    .eps = static_cast<float>(eps),
                    .sum = values<void>(sum_BSD),
                    .normed = values<void>(normed_BSD),
                    .tokens = tokens_of(x_BSD),
                    .width = static_cast<uint32_t>(x_BSD.size(-1))};
  x_BSD.is_cuda() ? run_on_gpu(chain, x_BSD) : run_on_cpu(chain, x_BSD);
}

void run_on_cpu(const Turn& t, const at::Tensor& x_BSD) {
  const int64_t D = t.width, R = t.half;
  with_type(x_BSD, [&]<class T>(std::type_identity<T>) {
    for_tokens(x_BSD, [&](int64_t n, float* row) {
      T* out = static_cast<T*>(t.out) + n * D;
      cpu::load(static_cast<const T*>(t.x) + n * D, row, D);
      cpu::rms_norm(row, t.weight, t.eps, D);
      cpu::store(row, out, D);
      if (R == 0) return;
      cpu::load(out, row, D);
      const int64_t angles = n % t.sequence * R;
      for (int64_t i = 0; i < D; i += 2 * R) {
        cpu::rotate(row + i, t.cos + angles, t.sin + angles, 2 * R);
      }
      cpu::store(row, out, D);
    });
  });
}

}  // namespace

bool has_passes(c10::Device device, c10::ScalarType dtype) {
  return (dtype == at::kFloat || dtype == at::kBFloat16) &&
         (device.is_cpu() || (device.is_cuda() && gpu::enabled()));
}

at::Tensor layer_norm(const at::Tensor& x_BSD, const Affine& affine, const at::Tensor& row_of_BS,
                      double eps) {
  if (!is_fused(x_BSD)) return plain::layer_norm(x_BSD, affine, row_of_BS, eps);
  const auto x = x_BSD.contiguous();
  auto normed = at::empty_like(x);
  run(x, {}, {}, affine, row_of_BS, eps, {}, normed);
  return normed;
}

at::Tensor add_gated(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                     const at::Tensor& row_of_BS) {
  if (!is_fused(x_BSD)) return plain::add_gated(x_BSD, y_BSD, gate_RD, row_of_BS);
  const auto x = x_BSD.contiguous();
  auto sum = at::empty_like(x);
  run(x, y_BSD.contiguous(), gate_RD, {}, row_of_BS, 0, sum, {});
  return sum;
}

Sum add_and_norm(const at::Tensor& x_BSD, const at::Tensor& y_BSD, const at::Tensor& gate_RD,
                 const Affine& affine, const at::Tensor& row_of_BS, double eps) {
  if (!is_fused(x_BSD)) return plain::add_and_norm(x_BSD, y_BSD, gate_RD, affine, row_of_BS, eps);
  const auto x = x_BSD.contiguous();
  Sum result{at::empty_like(x), at::empty_like(x)};
  run(x, y_BSD.contiguous(), gate_RD, affine, row_of_BS, eps, result.x_BSD, result.normed_BSD);
  return result;
}

at::Tensor rms_norm(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps) {
  return is_fused(x_BSD) ? rms_norm_rope(x_BSD, weight_D, eps, {}, {})
                         : plain::rms_norm(x_BSD, weight_D, eps);
}

at::Tensor rms_norm_rope(const at::Tensor& x_BSD, const at::Tensor& weight_D, double eps,
                         const at::Tensor& cos_SR, const at::Tensor& sin_SR) {
  const int64_t D = x_BSD.size(-1), S = x_BSD.size(-2), R = cos_SR.defined() ? cos_SR.size(1) : 0;
  const bool whole = x_BSD.is_cpu() || 2 * R % gpu::kVector == 0;
  if (!is_fused(x_BSD) || !whole) return plain::rms_norm_rope(x_BSD, weight_D, eps, cos_SR, sin_SR);
  const auto x = x_BSD.contiguous(), weight = weight_D.to(at::kFloat).contiguous();
  const auto cos = cos_SR.contiguous(), sin = sin_SR.contiguous();
  TORCH_CHECK(weight.numel() == D, "a weight for each value of a token");
  TORCH_CHECK(R == 0 || (cos.size(0) == S && sin.sizes() == cos.sizes() && D % (2 * R) == 0),
              "angles for each token, of whole heads");
  auto result = at::empty_like(x);
  const Turn turn{.x = values<const void>(x),
                  .weight = values<const float>(weight),
                  .cos = values<const float>(cos),
                  .sin = values<const float>(sin),
                  .eps = static_cast<float>(eps),
                  .out = values<void>(result),
                  .tokens = tokens_of(x),
                  .width = static_cast<uint32_t>(D),
                  .sequence = static_cast<uint32_t>(S),
                  .half = static_cast<uint32_t>(R)};
  x.is_cuda() ? run_on_gpu(turn, x) : run_on_cpu(turn, x);
  return result;
}

}  // namespace reel::kernels
