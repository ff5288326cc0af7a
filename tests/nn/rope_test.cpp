#include "reel/nn/rope.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "golden.h"

namespace reel::nn {
namespace {

struct Case {
  int64_t head_dim;
  Grid grid;
};

class RopeGolden : public testing::TestWithParam<Case> {
 protected:
  int64_t head_dim = GetParam().head_dim;
  Grid grid = GetParam().grid;

  at::Tensor golden(const char* which) const {
    static const test::Golden file("wan-rope");
    const auto name =
        fmt::format("out.{}.{}x{}x{}.{}", head_dim, grid.frames, grid.rows, grid.columns, which);
    return file[name].view({grid.tokens(), head_dim}).slice(1, 0, head_dim, 2);
  }
};

TEST_P(RopeGolden, EqualsDiffusers) {
  const Rope rope = rope_of(grid, head_dim, test::device());
  EXPECT_LT(test::max_abs(rope.cos_SR, golden("cos")), test::bound(1e-7));
  EXPECT_LT(test::max_abs(rope.sin_SR, golden("sin")), test::bound(1e-7));
  EXPECT_EQ(rope.cos_SR.scalar_type(), at::kFloat);
}

TEST_P(RopeGolden, NoticesAPlaceTooFar) {
  const Grid longer{grid.frames + 1, grid.rows, grid.columns};
  const int64_t frame = grid.rows * grid.columns;
  const auto shifted = rope_of(longer, head_dim, test::device()).cos_SR.slice(0, frame);
  EXPECT_GT(test::max_abs(shifted, golden("cos")), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Grids, RopeGolden,
                         testing::Values(Case{8, {1, 2, 3}}, Case{8, {3, 2, 4}},
                                         Case{12, {3, 2, 4}}, Case{24, {3, 2, 4}},
                                         Case{128, {1, 2, 3}}, Case{128, {3, 2, 4}},
                                         Case{12, {100, 1, 1}}, Case{12, {1, 100, 1}},
                                         Case{12, {1, 1, 100}}));

}  // namespace
}  // namespace reel::nn
