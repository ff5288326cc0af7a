#include "reel/kernels/convolution.h"

#include <ATen/ATen.h>

#include "golden.h"
#include "gpu_convolution.h"

namespace reel::kernels {
namespace {

constexpr auto kLast = at::MemoryFormat::ChannelsLast3d;

at::Tensor cut_short(const at::Tensor& x) {
  return x.view(at::kInt).bitwise_and(-8192).view(at::kFloat);
}

at::Tensor exact(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias) {
  const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
  return at::conv3d(wide(x), wide(w), wide(bias), 1, {0, 1, 1});
}

TEST(PackedWeight, IsTheNearestInTf32) {
  const auto w = at::randn({8, 16, 3, 3, 3}), packed = packed_weight(w);
  EXPECT_TRUE(packed.is_contiguous(kLast));
  EXPECT_TRUE(packed.equal(cut_short(packed)));
  EXPECT_LE(((packed - w) / w).abs().max().item<float>(), 0x1p-11F);
  EXPECT_TRUE(packed_weight(w.to(at::kBFloat16)).equal(w.to(at::kBFloat16)));
  const auto nan = at::full({1, 1, 1, 1, 1}, 0x7fffffff, at::kInt).view(at::kFloat);
  EXPECT_TRUE(packed_weight(nan).isnan().all().item<bool>());
}

TEST(CutShort, MakesUpForWhatTensorCoresLeaveAway) {
  const auto x = at::silu(at::randn({1, 32, 3, 20, 20}) * 2), w = at::randn({16, 32, 3, 3, 3}) / 30;
  const auto none = at::zeros({16}), right = exact(x, w, none);
  const auto y = at::conv3d(cut_short(x), packed_weight(w), none, 1, {0, 1, 1});
  EXPECT_LT(test::relative_l2(y * gpu::kCutShort, right), 0.8 * test::relative_l2(y, right));
  const at::Tensor shrunk = (y * right).sum() / (right * right).sum();
  EXPECT_NEAR((shrunk * gpu::kCutShort).item<double>(), 1, 5e-5);
}

struct Case {
  std::vector<int64_t> x;  // B C T H W
  int64_t out, taps;
};

class GpuConvolution : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    at::globalContext().setAllowTF32CuDNN(true);
    if (!has_convolution(test::device(), at::kBFloat16, {96, 32, 3, 3, 3})) {
      GTEST_SKIP() << "only where it can be had";
    }
    at::manual_seed(5);
    const Case& c = GetParam();
    x = at::randn(c.x).to(test::device()).contiguous(kLast);
    w = (at::randn({c.out, c.x[1], c.taps, 3, 3}) / 50).to(test::device());
    bias = at::randn({c.out}).to(test::device());
  }
  void TearDown() override { at::globalContext().setAllowTF32CuDNN(false); }

  at::Tensor x, w, bias;
};

TEST_P(GpuConvolution, IsTheSumsThatItMeans) {
  const auto y = convolution(x, packed_weight(w), bias);
  EXPECT_TRUE(y.is_contiguous(kLast));
  EXPECT_LT(test::relative_l2(y, exact(x, w, bias)), 4e-4);
  if (x.size(1) % 32 != 0) return;  // too few for bf16
  const auto x16 = x.to(at::kBFloat16), w16 = w.to(at::kBFloat16), bias16 = bias.to(at::kBFloat16);
  const auto y16 = convolution(x16, packed_weight(w16), bias16);
  EXPECT_LT(test::relative_l2(y16, exact(x16, w16, bias16)), 2.5e-3);
  EXPECT_GT(test::relative_l2(y16, exact(x16, w16.flip(3), bias16)), 0.1);
}

TEST_P(GpuConvolution, TakesTheLastTapsAndAnyLayout) {
  const auto packed = packed_weight(w);
  const auto y = convolution(x.contiguous(), packed.narrow(2, w.size(2) - 1, 1), bias);
  EXPECT_LT(test::relative_l2(y, exact(x, w.narrow(2, w.size(2) - 1, 1), bias)), 4e-4);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, GpuConvolution,
    testing::Values(Case{{1, 96, 3, 8, 32}, 96, 3}, Case{{1, 96, 3, 37, 51}, 96, 3},
                    Case{{2, 96, 4, 37, 51}, 192, 3}, Case{{1, 64, 2, 33, 70}, 128, 1},
                    Case{{1, 384, 5, 60, 104}, 384, 3}, Case{{3, 256, 4, 5, 7}, 256, 2},
                    Case{{5, 32, 1, 100, 260}, 96, 1}, Case{{1, 16, 3, 12, 20}, 96, 3}));

}  // namespace
}  // namespace reel::kernels
