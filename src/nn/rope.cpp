#include "reel/nn/rope.h"

#include <ATen/ATen.h>

namespace reel::nn {
namespace {

/// Angles of `positions` places on an axis that has `dim` of a head's values, float64
/// [positions, dim / 2].
at::Tensor axis_angles(int64_t positions, int64_t dim) {
  const auto steps = at::arange(0, dim, 2, at::kDouble) / dim;
  return at::outer(at::arange(positions, at::kDouble), 1.0 / at::pow(10000.0, steps));
}

}  // namespace

Rope rope_of(const Grid& grid, int64_t head_dim, at::Device device) {
  const int64_t F = grid.frames, H = grid.rows, W = grid.columns;
  const int64_t plane = 2 * (head_dim / 6), time = head_dim - 2 * plane;
  const auto by_frame = axis_angles(F, time).view({F, 1, 1, -1});
  const auto by_row = axis_angles(H, plane).view({1, H, 1, -1});
  const auto by_column = axis_angles(W, plane).view({1, 1, W, -1});
  // Each axis on the host, then all places on the device.
  const auto spread = [&](at::Tensor (*of)(const at::Tensor&)) {
    std::vector<at::Tensor> parts;
    for (const auto& angles : {by_frame, by_row, by_column}) {
      parts.push_back(of(angles).to(at::kFloat).to(device).expand({F, H, W, angles.size(-1)}));
    }
    return at::cat(parts, -1).view({grid.tokens(), head_dim / 2});
  };
  return {spread(at::cos), spread(at::sin)};
}

}  // namespace reel::nn
