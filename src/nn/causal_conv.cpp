#include "reel/nn/causal_conv.h"

#include <ATen/ATen.h>

namespace reel::nn {

CausalConv3d::CausalConv3d(const weights::ParamScope& scope, int64_t in, int64_t out, Kernel kernel)
    : kernel(kernel), convolution(scope, {out, in, kernel[0], kernel[1], kernel[2]}) {}

CausalWindow CausalConv3d::window(const at::Tensor& like, const at::Tensor& history) const {
  const int64_t fresh = like.size(2);
  const int64_t known = history.defined() ? history.size(2) : 0;
  // One frame alone needs no zeros before it: the taps that would meet them are left out.
  const int64_t zeros = fresh == 1 ? 0 : kernel[0] - 1 - known;
  const int64_t frames = zeros + known + fresh;
  const at::Tensor all = at::empty({like.size(0), like.size(1), frames, like.size(3), like.size(4)},
                                   like.options().memory_format(at::MemoryFormat::ChannelsLast3d));
  if (zeros > 0) all.narrow(2, 0, zeros).zero_();
  if (known > 0) all.narrow(2, zeros, known).copy_(history);
  return {all, all.narrow(2, frames - fresh, fresh)};
}

at::Tensor CausalConv3d::operator()(const CausalWindow& window, at::Tensor& history) const {
  const at::Tensor& all = window.all_BCTHW;
  const int64_t taps = all.size(2) - window.fresh_BCTHW.size(2) + 1;
  const int64_t keep = std::min(kernel[0] - 1, all.size(2));
  // A copy, because a view would keep the whole window alive.
  history = all.narrow(2, all.size(2) - keep, keep).clone(at::MemoryFormat::ChannelsLast3d);
  return convolution(all, taps);
}

at::Tensor CausalConv3d::operator()(const at::Tensor& x, at::Tensor& history) const {
  if (kernel[0] == 1) return convolution(x);
  const CausalWindow next = window(x, history);
  next.fresh_BCTHW.copy_(x);
  return (*this)(next, history);
}

at::Tensor CausalConv3d::operator()(const at::Tensor& x) const {
  at::Tensor history;
  return (*this)(x, history);
}

}  // namespace reel::nn
