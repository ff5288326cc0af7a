#include "reel/nn/linear.h"

#include <ATen/ATen.h>

#include "golden.h"

namespace reel::nn {
namespace {

class LinearForms : public testing::TestWithParam<std::tuple<at::ScalarType, bool, Activation>> {
 protected:
  at::ScalarType dtype = std::get<0>(GetParam());
  weights::ParamSet set{test::device(), dtype};
  Linear layer{weights::ParamScope(set, "layer."),
               48,
               72,
               /*with_bias=*/std::get<1>(GetParam()),
               weights::Keep::Compute,
               std::get<2>(GetParam())};

  void SetUp() override {
    for (auto& param : set.params()) param.tensor = at::randn(param.shape).to(set.device(), dtype);
  }

  /// In fp32, from the values that the layer sees.
  at::Tensor expected(const at::Tensor& x) const {
    const auto bias = layer.bias ? layer.bias->tensor.to(at::kDouble) : at::Tensor();
    const auto y = at::linear(x.to(at::kDouble), layer.weight.tensor.to(at::kDouble), bias);
    return layer.activation == Activation::GeluTanh ? at::gelu(y, "tanh") : y;
  }
};

TEST_P(LinearForms, PackedEqualsPlain) {
  const auto x = at::randn({2, 19, 48}).to(set.device(), dtype);
  const auto reference = expected(x);
  const double bound = dtype == at::kFloat ? test::bound(1e-6) : 4e-3;
  EXPECT_LT(test::relative_l2(layer(x), reference), bound);
  set.pack();
  EXPECT_LT(test::relative_l2(layer(x), reference), bound);
  EXPECT_EQ(layer(x).scalar_type(), dtype);
}

TEST_P(LinearForms, PackingLeavesOneCopy) {
  if (layer.packed_weight == nullptr) GTEST_SKIP() << "no oneDNN for this dtype here";
  EXPECT_FALSE(layer.packed_weight->tensor.defined());
  set.pack();
  EXPECT_TRUE(layer.packed_weight->tensor.defined());
  EXPECT_FALSE(layer.weight.tensor.defined());
}

INSTANTIATE_TEST_SUITE_P(All, LinearForms,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Bool(),
                                          testing::Values(Activation::None, Activation::GeluTanh)));

}  // namespace
}  // namespace reel::nn
