#include "reel/nn/norm.h"

#include <ATen/ATen.h>

#include "golden.h"

namespace reel::nn {
namespace {

TEST(Norms, LearnedScalesAreFp32AndRmsWeightsAreNot) {
  weights::ParamSet set(at::kCPU, at::kBFloat16);
  const weights::ParamScope scope(set);
  const LayerNorm layer(scope / "norm2", 12);
  const RmsNorm rms(scope / "norm_q", 12, 1e-6);
  EXPECT_EQ(set.dtype_of(layer.weight), at::kFloat);
  EXPECT_EQ(set.dtype_of(layer.bias), at::kFloat);
  EXPECT_EQ(set.dtype_of(rms.weight), at::kBFloat16);
}

TEST(Norms, LayerNormIsAtens) {
  weights::ParamSet set(test::device(), at::kFloat);
  const LayerNorm layer(weights::ParamScope(set), 12);
  for (auto& param : set.params()) param.tensor = at::randn(param.shape, set.device());
  const auto x = at::randn({2, 5, 12}, set.device());
  const auto expected = at::layer_norm(x, {12}, layer.weight.tensor, layer.bias.tensor, 1e-6);
  EXPECT_LT(test::relative_l2(kernels::layer_norm(x, layer.affine(), {}, 1e-6), expected),
            test::bound(1e-6));
}

}  // namespace
}  // namespace reel::nn
