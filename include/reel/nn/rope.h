#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reel::nn {

/// The patches of a video: columns run fastest, then rows, then frames.
struct Grid {
  int64_t frames = 0, rows = 0, columns = 0;
  int64_t tokens() const { return frames * rows * columns; }
};

/// Angles of a rotary embedding, one a pair of a head's values: fp32 [S, head_dim / 2].
struct Rope {
  at::Tensor cos_SR, sin_SR;
};

/// The three-axis rotary embedding of Wan: of a head's values, 2·⌊d/6⌋ turn by row, as many by
/// column, the first rest by frame. Computed in float64, as Diffusers' WanRotaryPosEmbed.
Rope rope_of(const Grid& grid, int64_t head_dim, at::Device device);

}  // namespace reel::nn
