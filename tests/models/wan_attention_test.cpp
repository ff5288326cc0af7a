#include <ATen/ATen.h>

#include "reel/models/wan_block.h"
#include "wan_golden.h"

namespace reel::models {
namespace {

/// One attention with the golden's weights.
struct GoldenAttention {
  GoldenAttention(const std::string& name, const std::string& which)
      : golden(name), attention(weights::ParamScope(params), test::wan_config(golden)) {
    golden.fill(params, "w." + which + ".");
  }

  at::Tensor over_self(const nn::Rope& rope) {
    return attention.over_self(golden["in.hidden"], rope, {.sequence = solo});
  }
  at::Tensor over_self() { return over_self(test::wan_rope(golden)); }
  at::Tensor over_context() {
    return attention.over_context(golden["in.hidden"], attention.keys_of(golden["in.text"]));
  }

  test::Golden golden;
  weights::ParamSet params{test::device(), at::kFloat};
  WanAttention attention;
  dist::SoloGroup solo;
};

class OverSelf : public testing::TestWithParam<const char*> {
 protected:
  GoldenAttention tiny{GetParam(), "self"};
  double distance() { return test::relative_l2(tiny.over_self(), tiny.golden["out.self"]); }
};

TEST_P(OverSelf, EqualsDiffusers) { EXPECT_LT(distance(), test::bound(1e-6)); }

TEST_P(OverSelf, TurnsTheQueryAsDiffusers) {
  const auto rope = test::wan_rope(tiny.golden);
  const auto& weight = tiny.attention.norm_q.weight.tensor;
  const auto q = tiny.attention.to_q(tiny.golden["in.hidden"]);
  EXPECT_LT(test::relative_l2(tiny.attention.norm_q(q), tiny.golden["out.self.normed_query"]),
            test::bound(1e-6));
  const auto turned =
      kernels::rms_norm_rope(q, weight, tiny.attention.norm_q.eps, rope.cos_SR, rope.sin_SR);
  EXPECT_LT(test::relative_l2(turned, tiny.golden["out.self.turned_query"].flatten(2)),
            test::bound(1e-6));
}

TEST_P(OverSelf, NoticesARopeOffByOne) {
  const auto rope = test::wan_rope(tiny.golden);
  const nn::Rope rolled{rope.cos_SR.roll(1, 0), rope.sin_SR.roll(1, 0)};
  EXPECT_GT(test::relative_l2(tiny.over_self(rolled), tiny.golden["out.self"]), 1e-3);
}

TEST_P(OverSelf, NoticesAnUnlearnedQueryNorm) {
  tiny.params.find("norm_q.weight")->tensor.fill_(1);
  EXPECT_GT(distance(), 1e-3);
}

TEST_P(OverSelf, NoticesAMissingKeyBias) {
  tiny.params.find("to_k.bias")->tensor.zero_();
  EXPECT_GT(distance(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Heads, OverSelf, testing::Values("wan-attention", "wan-attention-hd128"));

/// Rotary embeddings tell distances only: the same tokens two frames later attend alike.
TEST(WanAttention, ReadsTheRopeAtThisRanksTokens) {
  GoldenAttention tiny("wan-attention", "self");
  const int64_t d = 12;
  const auto rope = nn::rope_of({5, 2, 5}, d, test::device());
  const auto run = [&](int64_t first) {
    return tiny.attention.over_self(tiny.golden["in.hidden"], rope,
                                    {.sequence = tiny.solo, .first_token = first});
  };
  EXPECT_LT(test::relative_l2(run(20), run(0)), test::bound(1e-5));
  EXPECT_GT(test::relative_l2(run(3), run(0)), 1e-3);
}

TEST(WanAttention, OverTextEqualsDiffusers) {
  GoldenAttention tiny("wan-attention", "cross");
  EXPECT_LT(test::relative_l2(tiny.over_context(), tiny.golden["out.cross"]), test::bound(1e-6));
  tiny.params.find("norm_k.weight")->tensor.fill_(1);
  EXPECT_GT(test::relative_l2(tiny.over_context(), tiny.golden["out.cross"]), 1e-3);
}

}  // namespace
}  // namespace reel::models
