#include "reel/nn/rope.h"

#include <ATen/ATen.h>

namespace reel::nn {
namespace {

/// Angles of `positions` places on an axis that has `dim` of a head's values: [positions, dim / 2].
at::Tensor axis_angles(int64_t positions, int64_t dim) {
  const auto steps = at::arange(0, dim, 2, at::kDouble) / dim;
  return at::outer(at::arange(positions, at::kDouble), 1.0 / at::pow(10000.0, steps));
}

}  // namespace

Rope rope_of(const Grid& grid, int64_t head_dim, at::Device device) {
  const int64_t F = grid.frames, H = grid.rows, W = grid.columns;
  const int64_t plane = 2 * (head_dim / 6), time = head_dim - 2 * plane;
  const auto spread = [&](const at::Tensor& axis_FHWR) {
    return axis_FHWR.expand({F, H, W, axis_FHWR.size(-1)});
  };
  const auto angles_SR = at::cat({spread(axis_angles(F, time).view({F, 1, 1, -1})),
                                  spread(axis_angles(H, plane).view({1, H, 1, -1})),
                                  spread(axis_angles(W, plane).view({1, 1, W, -1}))},
                                 -1)
                             .view({grid.tokens(), head_dim / 2});
  return {angles_SR.cos().to(at::kFloat).to(device), angles_SR.sin().to(at::kFloat).to(device)};
}

}  // namespace reel::nn
