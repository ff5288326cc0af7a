#include "reel/nn/convolution.h"

#include "golden.h"

namespace reel::nn {
namespace {

void fill(weights::ParamSet& set, double scale) {
  for (auto& param : set.params()) {
    param.tensor = (at::randn(param.shape) * scale).to(set.device(), set.compute());
  }
}

struct Case {
  std::vector<int64_t> weight;
  std::vector<int64_t> x;
};

/// Of few places and of many beside the output's channels: two ways on the CPU.
class Convolutions : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { fill(set, 1); }

  at::Tensor expected(const at::Tensor& x, int64_t taps) const {
    auto w = layer.weight.tensor.to(at::kDouble);
    if (w.dim() == 4) w = w.unsqueeze(2);
    w = w.narrow(2, w.size(2) - taps, taps);
    return at::conv3d(x.to(at::kDouble), w, layer.bias.tensor.to(at::kDouble), 1,
                      {0, w.size(3) / 2, w.size(4) / 2});
  }

  weights::ParamSet set{test::device(), at::kFloat};
  Convolution layer{weights::ParamScope(set, "layer."), GetParam().weight};
};

TEST_P(Convolutions, PackedAndPlainAreTheSumsThatTheyMean) {
  const auto x =
      at::randn(GetParam().x).to(set.device()).contiguous(at::MemoryFormat::ChannelsLast3d);
  const int64_t all = GetParam().weight.size() == 4 ? 1 : GetParam().weight[2];
  std::vector<at::Tensor> right;
  for (int64_t taps = 1; taps <= all; ++taps) right.push_back(expected(x, taps));
  for (const bool packed : {false, true}) {
    if (packed) set.pack();
    for (int64_t taps = 1; taps <= all; ++taps) {
      const auto y = layer(x, taps);
      EXPECT_LT(test::relative_l2(y, right[static_cast<size_t>(taps) - 1]), test::bound(1e-6))
          << packed << taps;
      EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast3d) || !y.is_cpu());
    }
    EXPECT_TRUE(at::equal(layer(x), layer(x, all)));
  }
}

TEST_P(Convolutions, PackingLeavesOneCopy) {
  if (layer.packed_weight == nullptr) GTEST_SKIP() << "no oneDNN here";
  set.pack();
  EXPECT_TRUE(layer.packed_weight->tensor.defined());
  EXPECT_FALSE(layer.weight.tensor.defined());
}

TEST(Convolution, InBf16OfManyChannelsIsTheSame) {
  weights::ParamSet set{test::device(), at::kBFloat16};
  const Convolution layer{weights::ParamScope(set, "layer."), {96, 32, 3, 3, 3}};
  fill(set, 1.0 / 30);
  const auto x = at::randn({2, 32, 4, 5, 9}).to(set.device(), at::kBFloat16);
  const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
  const auto w = wide(layer.weight.tensor), bias = wide(layer.bias.tensor);
  for (const bool packed : {false, true}) {
    if (packed) set.pack();
    for (const int64_t taps : {1, 2, 3}) {
      const auto right = at::conv3d(wide(x), w.narrow(2, 3 - taps, taps), bias, 1, {0, 1, 1});
      EXPECT_LT(test::relative_l2(layer(x, taps), right), 4e-3) << packed << taps;
    }
  }
}

TEST(Convolution, InBf16OfOneFrameIsPackedToo) {
  weights::ParamSet set{test::device(), at::kBFloat16};
  const Convolution layer{weights::ParamScope(set, "layer."), {96, 32, 3, 3}};
  fill(set, 1.0 / 10);
  const auto x = at::randn({2, 32, 3, 8, 9}).to(set.device(), at::kBFloat16);
  const auto y = layer(x), strided = layer.strided(x, {1, 2, 2});
  set.pack();
  EXPECT_LT(test::relative_l2(layer(x), y), 5e-3);
  EXPECT_LT(test::relative_l2(layer.strided(x, {1, 2, 2}), strided), 5e-3);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Convolutions,
    testing::Values(Case{{40, 7, 3, 3, 3}, {1, 7, 4, 3, 4}}, Case{{6, 7, 3, 3, 3}, {2, 7, 4, 9, 6}},
                    Case{{40, 6, 3, 1, 1}, {1, 6, 3, 2, 5}}, Case{{6, 5, 1, 1, 1}, {1, 5, 2, 8, 9}},
                    Case{{90, 4, 3, 3}, {2, 4, 3, 3, 4}}, Case{{6, 4, 3, 3}, {2, 4, 3, 8, 5}}));

}  // namespace
}  // namespace reel::nn
