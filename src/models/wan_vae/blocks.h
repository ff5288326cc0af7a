#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "reel/nn/causal_conv.h"
#include "reel/weights/param.h"

// What Wan's video autoencoders are built of. Facts: Diffusers' autoencoder_kl_wan.py.
//
// B batch, C channels, T frames, H W rows and columns. Tensors are BCTHW by index and BTHWC in
// memory (channels_last_3d): channels beside each other for the norms and oneDNN and cuDNN, and
// frames before channels, so that a frame, some frames, or frames as a batch are views.
namespace reel::models::wan_vae {

// Hands out the histories of one network's causal convolutions, in the order in which they run.
class HistoryCursor {
 public:
  explicit HistoryCursor(std::vector<at::Tensor>& histories) : histories_(histories) {}

  // Stays valid until the next call.
  at::Tensor& next() {
    if (next_ == histories_.size()) histories_.emplace_back();
    return histories_[next_++];
  }

 private:
  std::vector<at::Tensor>& histories_;
  size_t next_ = 0;
};

// conv(silu(norm(x))), 3 x 3 x 3.
struct NormSiluConv {
  NormSiluConv(const weights::ParamScope& norm, const weights::ParamScope& conv, int64_t in,
               int64_t out);

  at::Tensor operator()(const at::Tensor& x_BCTHW, HistoryCursor& histories) const;

  const weights::Param& gamma;
  nn::CausalConv3d conv;
};

struct ResidualBlock {
  ResidualBlock(const weights::ParamScope& scope, int64_t in, int64_t out);

  at::Tensor operator()(const at::Tensor& x_BCTHW, HistoryCursor& histories) const;

  NormSiluConv first;
  NormSiluConv second;
  std::optional<nn::CausalConv3d> shortcut;  // where the width changes
};

// Attention within each frame, one head.
struct AttentionBlock {
  AttentionBlock(const weights::ParamScope& scope, int64_t channels);

  at::Tensor operator()(const at::Tensor& x_BCTHW) const;

  int64_t channels;
  const weights::Param& gamma;
  const weights::Param& qkv_weight;
  const weights::Param& qkv_bias;
  const weights::Param& out_weight;
  const weights::Param& out_bias;
};

struct MidBlock {
  MidBlock(const weights::ParamScope& scope, int64_t channels);

  at::Tensor operator()(const at::Tensor& x_BCTHW, HistoryCursor& histories) const;

  ResidualBlock before;
  AttentionBlock attention;
  ResidualBlock after;
};

// Twice the rows and columns, and, `in_time`, twice the frames of every part but the first.
struct Upsample {
  Upsample(const weights::ParamScope& scope, int64_t in, int64_t out, bool in_time);

  at::Tensor operator()(const at::Tensor& x_BCTHW, bool first, HistoryCursor& histories) const;

  std::optional<nn::CausalConv3d> time_conv;
  nn::Convolution conv;
};

// Half the rows and columns, and, `in_time`, half the frames of every part but the first.
struct Downsample {
  Downsample(const weights::ParamScope& scope, int64_t channels, bool in_time);

  at::Tensor operator()(const at::Tensor& x_BCTHW, HistoryCursor& histories) const;

  std::optional<nn::Convolution> time_conv;
  nn::Convolution conv;
};

// Adds x, its channels dealt out to frames, rows and columns, to `main`, which has
// `frames` times x's frames (as many, if they are the `first`) and twice its rows and columns.
void add_duplicated(at::Tensor& main_BCTHW, const at::Tensor& x_BCTHW, int64_t frames, bool first);

// Adds x to `main`, which has fewer frames by the factor `frames` and fewer rows and columns by
// `space`: neighbouring values of x, counted by channel, frame, row and column, are averaged to
// make main's channels. Frames that are missing at the beginning count as zeros.
void add_averaged(at::Tensor& main_BCTHW, const at::Tensor& x_BCTHW, int64_t frames, int64_t space);

}  // namespace reel::models::wan_vae
