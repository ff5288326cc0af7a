#include "blocks.h"

#include <ATen/ATen.h>

#include <array>

#include "reel/kernels/rms_silu.h"

namespace reel::models::wan_vae {
namespace {

// Views, where memory is channels_last_3d as it should be.
at::Tensor channels_last(const at::Tensor& x_BCTHW) { return x_BCTHW.permute({0, 2, 3, 4, 1}); }
at::Tensor channels_second(const at::Tensor& x_BTHWC) { return x_BTHWC.permute({0, 4, 1, 2, 3}); }

/// The same bytes as fewer and wider values, if they are whole ones: sooner copied.
at::Tensor widened(const at::Tensor& x) {
  constexpr auto kWide = at::kComplexDouble;
  const auto values = static_cast<int64_t>(c10::elementSize(kWide)) / x.element_size();
  return x.stride(-1) == 1 && x.size(-1) % values == 0 ? x.view(kWide) : x;
}

}  // namespace

NormSiluConv::NormSiluConv(const weights::ParamScope& norm, const weights::ParamScope& conv,
                           int64_t in, int64_t out)
    : gamma(norm.declare("gamma", {in, 1, 1, 1})), conv(conv, in, out, {3, 3, 3}) {}

at::Tensor NormSiluConv::operator()(const at::Tensor& x, HistoryCursor& histories) const {
  at::Tensor& history = histories.next();
  const nn::CausalWindow window = conv.window(x, history);
  kernels::rms_silu_out(channels_last(x), gamma.tensor.flatten(),
                        channels_last(window.fresh_BCTHW));
  return conv(window, history);
}

ResidualBlock::ResidualBlock(const weights::ParamScope& scope, int64_t in, int64_t out)
    : first(scope / "norm1", scope / "conv1", in, out),
      second(scope / "norm2", scope / "conv2", out, out) {
  if (in != out)
    shortcut.emplace(scope / "conv_shortcut", in, out, nn::CausalConv3d::Kernel{1, 1, 1});
}

at::Tensor ResidualBlock::operator()(const at::Tensor& x, HistoryCursor& histories) const {
  at::Tensor y = second(first(x, histories), histories);
  return y.add_(shortcut ? (*shortcut)(x) : x);
}

AttentionBlock::AttentionBlock(const weights::ParamScope& scope, int64_t channels)
    : channels(channels),
      gamma(scope.declare("norm.gamma", {channels, 1, 1})),
      qkv_weight(scope.declare("to_qkv.weight", {3 * channels, channels, 1, 1})),
      qkv_bias(scope.declare("to_qkv.bias", {3 * channels})),
      out_weight(scope.declare("proj.weight", {channels, channels, 1, 1})),
      out_bias(scope.declare("proj.bias", {channels})) {}

at::Tensor AttentionBlock::operator()(const at::Tensor& x) const {
  const at::Tensor x_BTHWC = channels_last(x);
  // [BT, 1 head, HW, C]
  const at::Tensor tokens = x_BTHWC.reshape({-1, 1, x.size(3) * x.size(4), channels});
  const at::Tensor normed = kernels::plain::rms(tokens, gamma.tensor.flatten());
  const auto qkv =
      at::linear(normed, qkv_weight.tensor.flatten(1), qkv_bias.tensor).chunk(3, /*dim=*/-1);
  const at::Tensor attended = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]);
  const at::Tensor y = at::linear(attended, out_weight.tensor.flatten(1), out_bias.tensor);
  return channels_second(y.view(x_BTHWC.sizes()).add_(x_BTHWC));
}

MidBlock::MidBlock(const weights::ParamScope& scope, int64_t channels)
    : before(scope / "resnets" / 0, channels, channels),
      attention(scope / "attentions" / 0, channels),
      after(scope / "resnets" / 1, channels, channels) {}

at::Tensor MidBlock::operator()(const at::Tensor& x, HistoryCursor& histories) const {
  return after(attention(before(x, histories)), histories);
}

Upsample::Upsample(const weights::ParamScope& scope, int64_t in, int64_t out, bool in_time)
    : conv(scope / "resample" / 1, {out, in, 3, 3}) {
  if (in_time)
    time_conv.emplace(scope / "time_conv", in, 2 * in, nn::CausalConv3d::Kernel{3, 1, 1});
}

at::Tensor Upsample::operator()(const at::Tensor& x, bool first, HistoryCursor& histories) const {
  const int64_t batch = x.size(0), height = x.size(3), width = x.size(4);
  const int64_t channels = x.size(1);
  int64_t times = 1;
  at::Tensor y = x;
  if (time_conv) {
    at::Tensor& history = histories.next();
    // The features of the first part are not remembered: to the second, they are zeros.
    if (!first) {
      y = (*time_conv)(x, history);
      times = 2;
    }
  }
  // One copy puts the new channels in between the frames and doubles rows and columns:
  // [B, T, H, W, times, C] -> [B, T, times, H, 2, W, 2, C].
  const int64_t frames = x.size(2);
  const at::Tensor places =
      widened(channels_last(y).view({batch, frames, height, 1, width, 1, times, channels}));
  const int64_t wide = places.size(-1);
  return conv(channels_second(places.permute({0, 1, 6, 2, 3, 4, 5, 7})
                                  .expand({batch, frames, times, height, 2, width, 2, wide})
                                  .reshape({batch, frames * times, 2 * height, 2 * width, wide})
                                  .view(x.scalar_type())));
}

Downsample::Downsample(const weights::ParamScope& scope, int64_t channels, bool in_time)
    : conv(scope / "resample" / 1, {channels, channels, 3, 3}) {
  if (in_time) time_conv.emplace(scope / "time_conv", std::vector{channels, channels, 3L, 1L, 1L});
}

at::Tensor Downsample::operator()(const at::Tensor& x, HistoryCursor& histories) const {
  at::Tensor y = conv.strided(at::constant_pad_nd(x, {0, 1, 0, 1}), {1, 2, 2});
  if (!time_conv) return y;
  at::Tensor& history = histories.next();
  const at::Tensor before = history;
  history = y.narrow(2, y.size(2) - 1, 1).clone(at::MemoryFormat::ChannelsLast3d);
  return before.defined() ? time_conv->strided(at::cat({before, y}, 2), {2, 1, 1}) : y;
}

void add_duplicated(at::Tensor& main, const at::Tensor& x, int64_t frames, bool first) {
  const int64_t batch = x.size(0), parts = x.size(2), height = x.size(3), width = x.size(4);
  const int64_t out = main.size(1);
  const int64_t places = frames * 2 * 2;  // of an output channel; each takes an input channel
  const int64_t repeats = out * places / x.size(1);
  // Where one input channel fills all places of an output channel, broadcasting does it.
  const bool broadcast = repeats % places == 0;
  const auto place =
      broadcast ? std::array<int64_t, 3>{1, 1, 1} : std::array<int64_t, 3>{frames, 2, 2};
  const at::Tensor dealt =
      channels_last(x)
          .repeat_interleave(broadcast ? repeats / places : repeats, /*dim=*/-1)
          .view({batch, parts, height, width, out, place[0], place[1], place[2]})
          .permute({0, 1, 5, 2, 6, 3, 7, 4});
  channels_last(main)
      .view({batch, parts, first ? 1 : frames, height, 2, width, 2, out})
      .add_(first ? dealt.narrow(2, place[0] - 1, 1) : dealt);
}

void add_averaged(at::Tensor& main, const at::Tensor& x, int64_t frames, int64_t space) {
  const int64_t missing = main.size(2) * frames - x.size(2);
  main.add_(at::constant_pad_nd(x, {0, 0, 0, 0, missing, 0})
                .unflatten(4, {-1, space})
                .unflatten(3, {-1, space})
                .unflatten(2, {-1, frames})         // B C T t H y W x
                .permute({0, 1, 3, 5, 7, 2, 4, 6})  // B C t y x T H W
                .flatten(1, 4)
                .unflatten(1, {main.size(1), -1})
                .mean(2));
}

}  // namespace reel::models::wan_vae
