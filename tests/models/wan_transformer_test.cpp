#include "reel/models/wan_transformer.h"

#include <ATen/ATen.h>

#include "reel/base/error.h"
#include "reel/weights/checkpoint.h"
#include "wan_golden.h"

namespace reel::models {
namespace {

/// Notes the order in which blocks are asked for.
struct NotedBlocks : residency::Blocks {
  residency::Lease acquire(int index, int next) override {
    asked.emplace_back(index, next);
    return {};
  }
  std::vector<std::pair<int, int>> asked;
};

/// A whole transformer with the golden's weights.
struct GoldenTransformer {
  explicit GoldenTransformer(const std::string& name, at::ScalarType dtype = at::kFloat)
      : golden(name),
        params(test::device(), dtype),
        model(weights::ParamScope(params), test::wan_config(golden)) {
    golden.fill(params);
  }

  /// timestep [B], one for each batch entry, or [B, S], one for each token.
  StepTime time_of(const at::Tensor& timestep) const {
    if (timestep.dim() == 1) {
      const auto table = model.times(timestep);
      return {table.temb_ND, table.tproj_N6D, {}};
    }
    const auto [distinct, row_of_BS, counts] = at::_unique2(timestep, true, true);
    std::vector<int64_t> steps;
    for (int64_t n = 0; n < distinct.numel(); ++n) steps.push_back(n);
    return model.times(distinct).at(steps, row_of_BS);
  }

  at::Tensor run(const std::string& which) {
    const auto latents = golden["in.latents"];
    const auto grid = model.grid_of(latents);
    const StepTime time = time_of(golden["in." + which + ".timestep"]);
    const PromptContext prompt = model.prompt(text, views, stay);
    const auto rope = model.rope(grid);
    Conditions conditions{time, rope, prompt, first};
    auto x = model.begin(latents);
    patches = x;
    if (model.vace) {
      conditions.hints_BSD = model.hints(x, control, scales, conditions, {.sequence = solo}, stay);
    }
    layers.clear();
    for (int64_t i = 0; i < model.config.num_layers; ++i) {
      x = model.blocks(i, i + 1, x, conditions, {.sequence = solo}, stay);
      layers.push_back(x);
    }
    return model.finish(x, time, grid);
  }

  double distance(const std::string& which) {
    return test::relative_l2(run(which), golden["out." + which + ".sample"]);
  }

  test::Golden golden;
  weights::ParamSet params;
  WanTransformer model;
  dist::SoloGroup solo;
  residency::ResidentBlocks stay;
  at::Tensor text = golden["in.text"];
  at::Tensor views = golden.file.tensors().contains("in.views") ? golden["in.views"] : at::Tensor();
  FirstAttention* first = nullptr;
  at::Tensor control;  // VACE's
  std::vector<double> scales;
  at::Tensor patches;              // of the last run
  std::vector<at::Tensor> layers;  // what each block returned
};

TEST(WanTransformer, EqualsDiffusersAtEveryBlock) {
  GoldenTransformer tiny("wan-transformer-tiny");
  EXPECT_LT(tiny.distance("int"), test::bound(2e-6));
  EXPECT_LT(test::relative_l2(tiny.patches, tiny.golden["out.int.patches"]), test::bound(1e-6));
  for (size_t i = 0; i < tiny.layers.size(); ++i) {
    EXPECT_LT(test::relative_l2(tiny.layers[i], tiny.golden["out.int.block." + std::to_string(i)]),
              test::bound(2e-6))
        << "block " << i;
  }
  EXPECT_LT(tiny.distance("float"), test::bound(2e-6));
  tiny.params.pack();
  EXPECT_LT(tiny.distance("int"), test::bound(2e-6));
}

TEST(WanTransformer, TakesATimestepForEachToken) {
  GoldenTransformer tiny("wan-transformer-5b-tiny");
  EXPECT_LT(tiny.distance("all"), test::bound(2e-6));
  EXPECT_LT(tiny.distance("first_frame_zero"), test::bound(2e-6));
  const auto all = tiny.run("all");
  EXPECT_GT(test::relative_l2(all, tiny.golden["out.first_frame_zero.sample"]), 1e-3);
}

TEST(WanTransformer, OneRowOfTimeIsARowForEachToken) {
  GoldenTransformer tiny("wan-transformer-5b-tiny");
  const auto timestep = tiny.golden["in.all.timestep"];
  ASSERT_TRUE(at::eq(timestep, timestep[0][0]).all().item<bool>());
  const auto latents = tiny.golden["in.latents"];
  const auto grid = tiny.model.grid_of(latents);
  const auto time = tiny.model.times(timestep.flatten().slice(0, 0, 1)).at(0);
  const auto prompt = tiny.model.prompt(tiny.golden["in.text"], {}, tiny.stay);
  const auto rope = tiny.model.rope(grid);
  const auto x = tiny.model.blocks(0, 2, tiny.model.begin(latents), {time, rope, prompt},
                                   {.sequence = tiny.solo}, tiny.stay);
  EXPECT_LT(test::relative_l2(tiny.model.finish(x, time, grid), tiny.golden["out.all.sample"]),
            test::bound(2e-6));
}

TEST(WanTransformer, NoticesWhatIsWrong) {
  const auto distance_with = [](const std::string& name, auto change) {
    GoldenTransformer tiny("wan-transformer-tiny");
    change(tiny.params.find(name)->tensor);
    return tiny.distance("int");
  };
  const auto zero = [](at::Tensor& t) { t.zero_(); };
  const auto swap = [](at::Tensor& t) { t = t.flip(1); };
  EXPECT_GT(distance_with("patch_embedding.bias", zero), 1e-3);
  EXPECT_GT(distance_with("scale_shift_table", swap), 1e-3);
  EXPECT_GT(distance_with("blocks.1.attn2.to_k.bias", zero), 1e-3);
  EXPECT_GT(distance_with("condition_embedder.time_embedder.linear_1.bias", zero), 1e-3);
}

TEST(WanTransformer, TimeAndTextEqualDiffusers) {
  const test::Golden golden("wan-time-text");
  weights::ParamSet params(test::device(), at::kFloat);
  auto config = test::wan_config(golden);
  const WanTransformer model(weights::ParamScope(params), config);
  const std::string prefix = "condition_embedder.";
  for (auto& param : params.params()) {
    param.tensor = param.name.starts_with(prefix)
                       ? golden["w." + param.name.substr(prefix.size())].clone()
                       : at::zeros(param.shape, params.device());
  }
  for (const std::string which : {"int", "float", "tokens"}) {
    const auto table = model.times(golden["in." + which + ".timestep"].flatten());
    const auto same = [&](const at::Tensor& ours, const std::string& name) {
      const auto theirs = golden["out." + which + "." + name];
      EXPECT_LT(test::relative_l2(ours.reshape(theirs.sizes()), theirs), test::bound(1e-6))
          << which << name;
    };
    same(table.temb_ND, "temb");
    same(table.tproj_N6D, "time_proj");
  }
  const auto text = model.text_out(model.text_in(golden["in.text"]));
  EXPECT_LT(test::relative_l2(text, golden["out.text"]), test::bound(1e-6));
}

TEST(WanTransformer, Bf16IsAsCloseAsDiffusersOwn) {
  // Diffusers 0.40.0 with torch_dtype=bfloat16 on a CPU, against its own fp32 run.
  const double diffusers_tiny = 0.0101, diffusers_5b = 0.0099;
  GoldenTransformer tiny("wan-transformer-tiny", at::kBFloat16);
  GoldenTransformer of_5b("wan-transformer-5b-tiny", at::kBFloat16);
  for (const bool packed : {false, true}) {
    if (packed) {
      tiny.params.pack();
      of_5b.params.pack();
    }
    EXPECT_LT(tiny.distance("int"), 1.5 * diffusers_tiny);
    EXPECT_LT(of_5b.distance("first_frame_zero"), 1.5 * diffusers_5b);
  }
}

TEST(WanTransformer, AsksForEachBlockOnceAndNamesTheNext) {
  GoldenTransformer tiny("wan-transformer-tiny");
  NotedBlocks noted;
  const auto latents = tiny.golden["in.latents"];
  const auto time = tiny.time_of(tiny.golden["in.int.timestep"]);
  const auto prompt = tiny.model.prompt(tiny.golden["in.text"], {}, noted);
  const auto rope = tiny.model.rope(tiny.model.grid_of(latents));
  tiny.model.blocks(1, 3, tiny.model.begin(latents), {time, rope, prompt}, {.sequence = tiny.solo},
                    noted);
  const std::vector<std::pair<int, int>> expected = {{0, 1}, {1, 2}, {2, 0}, {1, 2}, {2, 0}};
  EXPECT_EQ(noted.asked, expected);
}

TEST(WanTransformer, DeclaresWhatAModelsFolderHolds) {
  for (const char* name : {"t2v-tiny", "a14b-tiny", "ti2v-5b-tiny"}) {
    const auto folder = test::golden_folder() / "models" / name / "transformer";
    weights::ParamSet params(at::kCPU, at::kBFloat16);
    const WanTransformer model(weights::ParamScope(params),
                               config::read_wan_transformer_config(folder / "config.json"));
    EXPECT_NO_THROW(weights::load(params, weights::Checkpoint(folder, "diffusion_pytorch_model")))
        << name;
    EXPECT_EQ(model.scale_shift_table.tensor.scalar_type(), at::kFloat);
  }
}

TEST(WanTransformer, RefusesLatentsThatDoNotFit) {
  GoldenTransformer tiny("wan-transformer-tiny");
  EXPECT_THROW(tiny.model.grid_of(at::zeros({1, 6, 3, 5, 10})), Error);
  EXPECT_THROW(tiny.model.grid_of(at::zeros({1, 6, 41, 4, 10})), Error);
  EXPECT_EQ(tiny.model.grid_of(at::zeros({1, 6, 40, 4, 10})).tokens(), 40 * 2 * 5);
}

class ImageTransformer : public testing::TestWithParam<const char*> {
 protected:
  GoldenTransformer tiny{GetParam()};
};

TEST_P(ImageTransformer, EqualsDiffusers) {
  EXPECT_LT(tiny.distance("int"), test::bound(2e-6));
  tiny.params.pack();
  EXPECT_LT(tiny.distance("int"), test::bound(2e-6));
}

TEST_P(ImageTransformer, CountsTextFromTheEndAsDiffusers) {
  tiny.text = tiny.text.narrow(1, 0, 11);
  EXPECT_LT(tiny.distance("short"), test::bound(2e-6));
  EXPECT_GT(tiny.distance("int"), 1e-3);
}

TEST_P(ImageTransformer, NeedsItsPictureAndEachParameterOfIt) {
  tiny.views = tiny.views.flip(0);
  EXPECT_GT(tiny.distance("int"), 1e-3);
  tiny.views = tiny.golden["in.views"];
  for (weights::Param& param : tiny.params.params()) {
    if (param.name.find("image_embedder") == param.name.npos &&
        param.name.find("add") == param.name.npos) {
      continue;
    }
    const at::Tensor kept = param.tensor.clone();
    param.tensor.fill_(param.name.find("norm") == param.name.npos ? 0 : 1);
    EXPECT_GT(tiny.distance("int"), 1e-3) << param.name;
    param.tensor.copy_(kept);
  }
  tiny.views = at::Tensor();
  EXPECT_THROW(tiny.run("int"), Error);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ImageTransformer,
                         testing::Values("wan-transformer-i2v-tiny", "wan-transformer-flf-tiny",
                                         "wan-transformer-joined-tiny"),
                         [](const auto& info) {
                           const std::string name = info.param;
                           return name.substr(16, name.size() - 21);
                         });

struct VaceTransformer : testing::Test {
  VaceTransformer() {
    tiny.control = tiny.golden["in.control_hidden_states"];
    for (const float scale : {0.8f, 1.3f}) tiny.scales.push_back(scale);
  }

  GoldenTransformer tiny{"wan-transformer-vace-tiny"};
};

TEST_F(VaceTransformer, EqualsDiffusers) {
  EXPECT_LT(tiny.distance("int"), test::bound(2e-6));
  tiny.params.pack();
  EXPECT_LT(tiny.distance("int"), test::bound(2e-6));
}

TEST_F(VaceTransformer, NeedsItsControlItsScalesAndEachParameter) {
  std::swap(tiny.scales[0], tiny.scales[1]);
  EXPECT_GT(tiny.distance("int"), 1e-3);
  std::swap(tiny.scales[0], tiny.scales[1]);
  tiny.control = tiny.control.flip(1);
  EXPECT_GT(tiny.distance("int"), 1e-3);
  tiny.control = tiny.control.flip(1);
  for (weights::Param& param : tiny.params.params()) {
    if (!param.name.starts_with("vace")) continue;
    const at::Tensor kept = param.tensor.clone();
    param.tensor.fill_(param.name.find("norm") == param.name.npos ? 0 : 1);
    EXPECT_GT(tiny.distance("int"), 1e-4) << param.name;
    param.tensor.copy_(kept);
  }
  EXPECT_LT(tiny.distance("int"), test::bound(2e-6));
}

TEST_F(VaceTransformer, ForwardsOfOneStepShareTheirFirstAttention) {
  const auto text = tiny.text;
  const auto alone = tiny.run("int");
  tiny.text = text.flip(2);
  const auto other_alone = tiny.run("int");
  EXPECT_GT(test::relative_l2(other_alone, alone), 1e-3);

  FirstAttention first;
  tiny.first = &first;
  EXPECT_TRUE(at::equal(tiny.run("int"), other_alone));
  tiny.text = text;
  EXPECT_TRUE(at::equal(tiny.run("int"), alone));
  for (at::Tensor* shared : {&first.stack_BSD, &first.vace_BSD}) {
    const auto kept = *shared;
    *shared = at::zeros_like(kept);
    EXPECT_GT(test::relative_l2(tiny.run("int"), alone), 1e-3);
    *shared = kept;
  }
}

TEST_F(VaceTransformer, RefusesAControlThatDoesNotFit) {
  tiny.control = tiny.control.narrow(2, 0, 2);
  EXPECT_THROW(tiny.run("int"), Error);
  tiny.control = tiny.golden["in.control_hidden_states"];
  tiny.scales.pop_back();
  EXPECT_THROW(tiny.run("int"), Error);
}

TEST_F(VaceTransformer, AsksForVacesBlocksBeforeTheStacks) {
  NotedBlocks noted;
  const auto latents = tiny.golden["in.latents"];
  const auto time = tiny.time_of(tiny.golden["in.int.timestep"]);
  const auto prompt = tiny.model.prompt(tiny.text, {}, noted);
  const auto rope = tiny.model.rope(tiny.model.grid_of(latents));
  const std::vector<std::pair<int, int>> once = {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}};
  EXPECT_EQ(noted.asked, once);
  noted.asked.clear();
  const auto x = tiny.model.begin(latents);
  tiny.model.hints(x, tiny.control, tiny.scales, {time, rope, prompt}, {.sequence = tiny.solo},
                   noted);
  tiny.model.blocks(0, 3, x, {time, rope, prompt}, {.sequence = tiny.solo}, noted);
  const std::vector<std::pair<int, int>> expected = {{3, 4}, {4, 0}, {0, 1}, {1, 2}, {2, 3}};
  EXPECT_EQ(noted.asked, expected);
}

TEST(WanTransformer, RefusesAPictureThatItCannotSee) {
  GoldenTransformer tiny("wan-transformer-tiny");
  tiny.views = at::zeros({2, 7, 10}, test::device());
  EXPECT_THROW(tiny.run("int"), Error);
}

}  // namespace
}  // namespace reel::models
