#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "reel/weights/param.h"

namespace reel::nn {

/// A 3D convolution, padded with zeros in space, not in time, unless said otherwise.
///
/// On the CPU in fp32 the weight is kept channels_last_3d, as oneDNN and matrix products read it;
/// on a GPU as kernels::convolution reads it, where there is one.
struct Convolution {
  /// Declares weight of `shape`, [out, in, frames, rows, columns] or, for one frame,
  /// [out, in, rows, columns], and bias [out]. Rows and columns are odd.
  Convolution(const weights::ParamScope& scope, std::vector<int64_t> shape);

  /// x [B, in, T, H, W] -> [B, out, T + 1 - taps, H, W], by the last `taps` frames of the weight;
  /// 0: all.
  at::Tensor operator()(const at::Tensor& x_BCTHW, int64_t taps = 0) const;

  /// Not padded, at every `step`-th frame, row and column where the weight fits:
  /// x [B, in, T, H, W] -> [B, out, (T − frames) / step + 1, …].
  at::Tensor strided(const at::Tensor& x_BCTHW, std::array<int64_t, 3> step) const;

  const weights::Param& weight;
  const weights::Param& bias;
  const weights::Packed* packed_weight;  // null: none on this device

 private:
  bool is_packed() const;
  at::Tensor weight_OCtyx(int64_t taps = 0) const;
};

}  // namespace reel::nn
