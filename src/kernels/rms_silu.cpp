#include "reel/kernels/rms_silu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "on_gpu.h"
#include "rms_silu_row.h"

namespace reel::kernels {
namespace {

template <class T>
void run(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& y) {
  const int64_t C = x.size(-1);
  const auto* from = static_cast<const T*>(x.const_data_ptr());
  const auto* scale = static_cast<const T*>(gamma.const_data_ptr());
  auto* to = static_cast<T*>(y.mutable_data_ptr());
  at::parallel_for(0, x.numel() / C, at::divup(int64_t{1} << 14, C),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) {
                       cpu::rms_silu(from + row * C, scale, to + row * C, C);
                     }
                   });
}

}  // namespace

void rms_silu_out(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& y) {
  if (!is_fused(x)) {
    at::Tensor out = y;
    at::silu_out(out, plain::rms(x, gamma));
  } else if (y.is_contiguous()) {
    const at::Tensor from = x.contiguous(), scale = gamma.contiguous();
    if (x.is_cuda()) {
      run_on_gpu(RmsSilu{.x = values<const void>(from),
                         .gamma = values<const void>(scale),
                         .out = values<void>(y),
                         .tokens = tokens_of(from),
                         .width = static_cast<uint32_t>(from.size(-1))},
                 from);
    } else {
      x.scalar_type() == at::kBFloat16 ? run<Bf16>(from, scale, y) : run<float>(from, scale, y);
    }
  } else if (y.dim() > 1) {  // a part of something: its own parts may be whole
    for (int64_t i = 0; i < y.size(0); ++i) rms_silu_out(x[i], gamma, y[i]);
  } else {
    y.copy_(plain::rms_silu(x, gamma));
  }
}

namespace plain {

at::Tensor rms(const at::Tensor& x, const at::Tensor& gamma) {
  // An eps that vanishes beside any x but zeros, of which it makes zeros.
  return at::rms_norm(x, {x.size(-1)}, gamma, 1e-30);
}

at::Tensor rms_silu(const at::Tensor& x, const at::Tensor& gamma) {
  return at::silu(plain::rms(x, gamma));
}

}  // namespace plain
}  // namespace reel::kernels
