#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "reel/nn/convolution.h"

namespace reel::nn {

/// What a causal convolution is about to read: frames it remembers, then fresh ones. Whoever makes
/// the fresh frames writes them here, so that they are not copied again.
struct CausalWindow {
  at::Tensor all_BCTHW;    // channels_last_3d: [B, T, H, W, C] in memory
  at::Tensor fresh_BCTHW;  // its last frames
};

/// A 3D convolution that sees no later frame, and is padded with zeros in space and before the
/// first frame.
///
/// A long video may be given in parts: `history` carries the last input frames from part to part.
/// It is undefined before the first, and shorter than the kernel while little has been seen.
/// Facts: Diffusers' WanCausalConv3d with its feature cache.
struct CausalConv3d {
  using Kernel = std::array<int64_t, 3>;  // frames, rows, columns; the last two odd

  /// Declares weight [out, in, frames, rows, columns] and bias [out].
  CausalConv3d(const weights::ParamScope& scope, int64_t in, int64_t out, Kernel kernel);

  /// A whole video: x [B, in, T, H, W] -> [B, out, T, H, W].
  at::Tensor operator()(const at::Tensor& x_BCTHW) const;

  /// The next part of a video.
  at::Tensor operator()(const at::Tensor& x_BCTHW, at::Tensor& history_BCTHW) const;

  /// The same for a part that is still to be written, into `window(...).fresh_BCTHW`.
  at::Tensor operator()(const CausalWindow& window, at::Tensor& history_BCTHW) const;

  /// A window whose fresh frames have the shape and dtype of `like`.
  CausalWindow window(const at::Tensor& like_BCTHW, const at::Tensor& history_BCTHW) const;

  Kernel kernel;
  Convolution convolution;
};

}  // namespace reel::nn
