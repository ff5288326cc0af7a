#include "reel/nn/causal_conv.h"

#include "golden.h"

namespace reel::nn {
namespace {

class CausalConv : public testing::TestWithParam<const char*> {
 protected:
  CausalConv() { golden.fill(params, "w." + kind + "."); }

  at::Tensor in(const std::string& name) const { return golden["in." + kind + "." + name]; }
  at::Tensor out(const std::string& name) const {
    return golden["out." + kind + "." + name + ".x"];
  }

  std::string kind = GetParam();
  test::Golden golden{"vae-causal-conv"};
  weights::ParamSet params{test::device(), at::kFloat};
  CausalConv3d conv{weights::ParamScope(params), 5, 4,
                    kind == "cube" ? CausalConv3d::Kernel{3, 3, 3} : CausalConv3d::Kernel{3, 1, 1}};
};

TEST_P(CausalConv, IsDiffusersWithAndWithoutHistory) {
  EXPECT_LT(test::max_abs(conv(in("plain.x")), out("plain")), test::bound(1e-6));
  for (const std::string name : {"cache1", "cache2"}) {
    at::Tensor history = in(name + ".cache");
    const at::Tensor x = in(name + ".x");
    EXPECT_LT(test::max_abs(conv(x, history), out(name)), test::bound(1e-6)) << name;
    EXPECT_TRUE(at::equal(history, x.narrow(2, 1, 2))) << name;
    EXPECT_GT(test::max_abs(conv(x), out(name)), 1e-2) << name;
  }
}

TEST_P(CausalConv, PartsOfAnyLengthMakeTheWhole) {
  const at::Tensor x = at::cat({in("plain.x"), in("cache1.x")}, 2);
  const at::Tensor whole = conv(x);
  for (const std::vector<int64_t>& lengths :
       {std::vector<int64_t>{1, 1, 1, 1, 1, 1}, {1, 2, 3}, {2, 1, 3}, {1, 4, 1}}) {
    at::Tensor history;
    std::vector<at::Tensor> parts;
    for (const at::Tensor& part : x.split_with_sizes(lengths, 2)) {
      parts.push_back(conv(part, history));
      EXPECT_LE(history.size(2), 2);
      EXPECT_EQ(history.storage().nbytes(), static_cast<size_t>(history.numel()) * sizeof(float));
    }
    EXPECT_LT(test::max_abs(at::cat(parts, 2), whole), test::bound(1e-6));
  }
}

TEST_P(CausalConv, SeesNoLaterFrame) {
  const at::Tensor x = in("plain.x");
  at::Tensor changed = x.clone();
  changed.select(2, 2).add_(1);
  EXPECT_LT(test::max_abs(conv(changed).narrow(2, 0, 2), conv(x).narrow(2, 0, 2)),
            test::bound(1e-6));
}

TEST_P(CausalConv, NeedsItsBias) {
  params.find("bias")->tensor.zero_();
  EXPECT_GT(test::max_abs(conv(in("plain.x")), out("plain")), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Kernels, CausalConv, testing::Values("cube", "time"));

}  // namespace
}  // namespace reel::nn
