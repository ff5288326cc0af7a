#include "reel/models/wan_block.h"

#include <ATen/ATen.h>

#include "wan_golden.h"

namespace reel::models {
namespace {

/// One block with the golden's weights.
struct GoldenBlock {
  explicit GoldenBlock(bool with_norm2 = true, double eps_factor = 1) : golden("wan-block") {
    auto config = test::wan_config(golden);
    config.cross_attn_norm = with_norm2;
    config.eps *= eps_factor;
    block.emplace(weights::ParamScope(params), config);
    golden.fill(params);
  }

  /// time_proj [B, 6, D]: a row for each batch entry; [B, S, 6, D]: one for each token.
  at::Tensor run(const std::string& time_proj = "in.time_proj") {
    const auto rows = golden[time_proj];
    const int64_t B = rows.size(0), S = rows.size(1);
    const StepTime time{
        {},
        rows.dim() == 4 ? rows.flatten(0, 1) : rows,
        rows.dim() == 4 ? at::arange(B * S, rows.device()).view({B, S}) : at::Tensor()};
    return (*block)(golden["in.hidden"], time, test::wan_rope(golden),
                    block->attn2.keys_of(golden["in.text"]), {.sequence = solo});
  }

  double distance() { return test::relative_l2(run(), golden["out.hidden"]); }

  test::Golden golden;
  weights::ParamSet params{test::device(), at::kFloat};
  std::optional<WanBlock> block;
  dist::SoloGroup solo;
};

TEST(WanBlock, EqualsDiffusers) {
  GoldenBlock tiny;
  EXPECT_LT(tiny.distance(), test::bound(1e-6));
  tiny.params.pack();
  EXPECT_LT(tiny.distance(), test::bound(1e-6));
}

TEST(WanBlock, TakesATimeForEachToken) {
  GoldenBlock tiny;
  EXPECT_LT(test::relative_l2(tiny.run("in.tokens.time_proj"), tiny.golden["out.tokens.hidden"]),
            test::bound(1e-6));
  EXPECT_GT(test::relative_l2(tiny.run(), tiny.golden["out.tokens.hidden"]), 1e-3);
}

TEST(WanBlock, WorksWithoutANormBeforeTheText) {
  GoldenBlock tiny(/*with_norm2=*/false);
  EXPECT_LT(test::relative_l2(tiny.run(), tiny.golden["out.without_norm2.hidden"]),
            test::bound(1e-6));
}

TEST(WanBlock, NoticesAMissingNorm2Bias) {
  GoldenBlock tiny;
  tiny.params.find("norm2.bias")->tensor.zero_();
  EXPECT_GT(tiny.distance(), 1e-3);
}

TEST(WanBlock, NoticesSwappedGates) {
  GoldenBlock tiny;
  auto& table = tiny.params.find("scale_shift_table")->tensor;
  table = table.index_select(1, test::on_device(at::tensor({0, 1, 5, 3, 4, 2})));
  EXPECT_GT(tiny.distance(), 1e-3);
}

TEST(WanBlock, NoticesAnotherEpsilon) {
  GoldenBlock tiny(/*with_norm2=*/true, /*eps_factor=*/100);
  EXPECT_GT(tiny.distance(), 1e-5);
}

TEST(WanBlock, KeepsInFp32WhatDiffusersDoes) {
  weights::ParamSet params(at::kCPU, at::kBFloat16);
  const WanBlock block{weights::ParamScope(params), test::wan_config(test::Golden("wan-block"))};
  for (const auto& param : params.params()) {
    const bool fp32 = param.name == "scale_shift_table" || param.name.starts_with("norm2.");
    EXPECT_EQ(params.dtype_of(param), fp32 ? at::kFloat : at::kBFloat16) << param.name;
  }
}

}  // namespace
}  // namespace reel::models
