#include "reel/models/umt5.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/base/error.h"
#include "umt5/relative_position.h"

namespace reel::models {
namespace {

config::Umt5Config config_of(const test::Golden& golden) {
  const auto json = nlohmann::json::parse(golden.metadata("config"));
  return {.vocab_size = json.at("vocab_size"),
          .d_model = json.at("d_model"),
          .d_kv = json.at("d_kv"),
          .d_ff = json.at("d_ff"),
          .num_layers = json.at("num_layers"),
          .num_heads = json.at("num_heads"),
          .relative_attention_num_buckets = json.at("relative_attention_num_buckets"),
          .relative_attention_max_distance = json.at("relative_attention_max_distance"),
          .layer_norm_epsilon = json.at("layer_norm_epsilon")};
}

struct Umt5 : testing::Test {
  explicit Umt5(at::ScalarType compute = at::kFloat)
      : params(test::device(), compute), encoder(weights::ParamScope(params), config_of(golden)) {
    golden.fill(params);
    params.pack();
  }

  at::Tensor encode(const std::vector<int64_t>& ids) { return encoder(ids, blocks); }

  /// The true tokens of row `row`, and what transformers makes of them in a padded batch.
  std::pair<std::vector<int64_t>, at::Tensor> prompt(int row) const {
    const at::Tensor ids = golden.host("in.ids")[row];
    const int64_t length = golden.host("in.mask")[row].sum().item<int64_t>();
    const int64_t* begin = ids.const_data_ptr<int64_t>();
    return {{begin, begin + length},
            golden["out.last_hidden_state"].narrow(0, row, 1).narrow(1, 0, length)};
  }

  double error(int row) {
    const auto [ids, expected] = prompt(row);
    return test::relative_l2(encode(ids), expected);
  }

  test::Golden golden{"umt5-tiny"};
  weights::ParamSet params;
  residency::ResidentBlocks blocks;
  Umt5Encoder encoder;
};

TEST_F(Umt5, IsThatOfTransformersWithoutThePadding) {
  for (int row = 0; row < 3; ++row) EXPECT_LT(error(row), test::bound(1e-5)) << "row " << row;
}

TEST_F(Umt5, SeesFurtherThanTheGreatestDistance) {
  const at::Tensor ids = golden.host("in.long.ids");
  const int64_t* begin = ids.const_data_ptr<int64_t>();
  const at::Tensor out = encode({begin, begin + ids.numel()});
  EXPECT_LT(test::relative_l2(out, golden["out.long.last_hidden_state"]), test::bound(1e-5));
}

TEST_F(Umt5, PutsDistancesIntoTheBucketsOfTransformers) {
  EXPECT_TRUE(at::equal(relative_buckets(golden.host("in.distances"), config_of(golden)),
                        golden.host("out.buckets")));
}

TEST_F(Umt5, PadsAPromptWithZeros) {
  const auto [ids, expected] = prompt(1);
  const at::Tensor out = encoder.encode_prompt(ids, 48, blocks);
  ASSERT_EQ(out.sizes(), (std::vector<int64_t>{1, 48, 20}));
  EXPECT_LT(test::relative_l2(out.narrow(1, 0, 7), expected), test::bound(1e-5));
  EXPECT_TRUE(at::equal(out.narrow(1, 7, 41), at::zeros({1, 41, 20}, test::device())));
  EXPECT_TRUE(at::equal(encoder.encode_prompt(ids, 7, blocks), out.narrow(1, 0, 7)));
}

// Twins: each breaks one thing and must be seen.

TEST_F(Umt5, AZeroedFinalNormIsSeen) {
  params.find("encoder.final_layer_norm.weight")->tensor.zero_();
  EXPECT_GT(error(2), 0.5);
}

TEST_F(Umt5, BiasesOfTwoLayersSwappedAreSeen) {
  const std::string name = ".layer.0.SelfAttention.relative_attention_bias.weight";
  std::swap(params.find("encoder.block.0" + name)->tensor,
            params.find("encoder.block.1" + name)->tensor);
  EXPECT_GT(error(1), 1e-3);
  EXPECT_GT(error(2), 1e-3);
}

TEST_F(Umt5, AnAlteredTokenIsSeen) {
  auto [ids, expected] = prompt(2);
  ids[20] = (ids[20] + 1) % 61;
  const at::Tensor error = encode(ids) - expected;
  EXPECT_GT(error.select(1, 0).norm().item<double>(), 1e-3) << "by a token 20 places away";
}

TEST_F(Umt5, APaddingTokenIsSeen) {
  auto [ids, expected] = prompt(1);
  ids.push_back(0);
  EXPECT_GT(test::relative_l2(encode(ids).narrow(1, 0, 7), expected), 1e-3);
}

struct Umt5Bf16 : Umt5 {
  Umt5Bf16() : Umt5(at::kBFloat16) {}
};

TEST_F(Umt5Bf16, StaysAsNearAsBf16Allows) {
  // How far transformers' own bf16 is from its fp32 on this golden, length 1, 7 and 40.
  const std::vector<double> transformers = {1.15e-2, 1.89e-2, 1.40e-2};
  for (int row = 0; row < 3; ++row) {
    const auto [ids, expected] = prompt(row);
    const at::Tensor out = encode(ids);
    EXPECT_EQ(out.scalar_type(), at::kBFloat16);
    EXPECT_LT(test::relative_l2(out, expected), 1.5 * transformers[static_cast<size_t>(row)]);
  }
}

TEST_F(Umt5Bf16, TakesATableOfAnotherDtype) {
  const at::Tensor out = encode(prompt(1).first);
  params.find("shared.weight")->tensor = golden["w.shared.weight"];
  EXPECT_TRUE(at::equal(encode(prompt(1).first), out)) << "rows are cast after they are taken";
}

TEST(Umt5Fp16, TakesWhatFp16CannotHold) {
  const test::Golden golden("umt5-tiny");
  const auto encode = [&](at::ScalarType compute) {
    weights::ParamSet params(at::kCPU, compute);
    const Umt5Encoder encoder(weights::ParamScope(params), config_of(golden));
    golden.fill(params);
    const std::string last = ".layer.1.DenseReluDense.wo.weight";
    params.find("encoder.block.0" + last)->tensor.mul_(1e6);
    params.pack();
    residency::ResidentBlocks blocks;
    return encoder({5, 6, 7, 8, 9, 1}, blocks);
  };
  EXPECT_LT(test::relative_l2(encode(at::kHalf), encode(at::kFloat)), 1e-2);
}

TEST_F(Umt5, RefusesWhatIsNotAPrompt) {
  const auto message = [&](const std::vector<int64_t>& ids, int64_t most) -> std::string {
    try {
      encoder.encode_prompt(ids, most, blocks);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message({}, 8), testing::HasSubstr("expected at least one token"));
  EXPECT_THAT(message({5, 61, 1}, 8), testing::HasSubstr("below 61, got 61"));
  EXPECT_THAT(message({-1}, 8), testing::HasSubstr("got -1"));
  EXPECT_EQ(message({5, 6, 1}, 2), "prompt: expected at most 2 tokens, got 3");
}

}  // namespace
}  // namespace reel::models
