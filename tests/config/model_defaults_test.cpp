#include "reel/config/model_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"
#include "reel/config/json_reader.h"
#include "temporary_folder.h"

namespace reel::config {
namespace {

TEST(PublishedModels, AreAllThereAndSound) {
  const auto models = published_models();
  EXPECT_EQ(models.size(), 19u);
  for (const auto& model : models) EXPECT_THAT(model.problems(), testing::IsEmpty());
}

TEST(PublishedModels, HaveTheirOwnDefaults) {
  const auto small = find_published("Wan-AI/Wan2.1-T2V-1.3B-Diffusers").value();
  EXPECT_EQ((Size{small.width, small.height}), (Size{832, 480}));
  EXPECT_EQ(small.guidance_scale, 3.0);
  EXPECT_EQ(small.flow_shift, 3.0);
  EXPECT_TRUE(small.negative_prompt.starts_with("Bright tones, overexposed"));

  const auto big = find_published("Wan-AI/Wan2.1-T2V-14B").value();
  EXPECT_EQ((Size{big.width, big.height}), (Size{1280, 720}));
  EXPECT_EQ(big.sizes.size(), 4u);
  EXPECT_EQ(big.flow_shift, 5.0);

  const auto experts = find_published("Wan-AI/Wan2.2-T2V-A14B-Diffusers").value();
  EXPECT_EQ(experts.num_inference_steps, 40);
  EXPECT_EQ(experts.guidance_scale, 4.0);
  EXPECT_EQ(experts.guidance_scale_2, 3.0);
  EXPECT_EQ(experts.boundary_ratio, 0.875);
  EXPECT_EQ(experts.flow_shift, 12.0);
  EXPECT_TRUE(experts.negative_prompt.ends_with("背景人很多，倒着走"));

  const auto both = find_published("Wan-AI/Wan2.2-TI2V-5B-Diffusers").value();
  EXPECT_EQ(both.num_frames, 121);
  EXPECT_EQ(both.fps, 24);
  EXPECT_EQ((Size{both.width, both.height}), (Size{1280, 704}));
}

TEST(PublishedModels, OfImageToVideoHaveTheirOwnDefaults) {
  EXPECT_EQ(find_published("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers")->flow_shift, 3.0);
  EXPECT_EQ(find_published("Wan-AI/Wan2.1-I2V-14B-720P-Diffusers")->flow_shift, 5.0);
  EXPECT_EQ(find_published("Wan-AI/Wan2.1-FLF2V-14B-720P-diffusers")->flow_shift, 16.0);
  EXPECT_EQ(find_published("weizhou03/Wan2.1-Fun-1.3B-InP-Diffusers")->guidance_scale, 6.0);
  const auto experts = find_published("Wan-AI/Wan2.2-I2V-A14B-Diffusers").value();
  EXPECT_EQ(experts.guidance_scale_2, 3.5);
  EXPECT_EQ(experts.boundary_ratio, 0.9);
  EXPECT_EQ(experts.flow_shift, 5.0);
}

TEST(PublishedModels, OfVaceHaveTheirOwnDefaults) {
  const auto small = find_published("Wan-AI/Wan2.1-VACE-1.3B-diffusers").value();
  EXPECT_EQ((Size{small.width, small.height}), (Size{832, 480}));
  EXPECT_EQ(small.flow_shift, 16.0);
  EXPECT_EQ(find_published("Wan-AI/Wan2.1-VACE-14B-diffusers")->width, 1280);
}

TEST(PublishedModels, OfFewStepsHaveTheirOwnTimesteps) {
  using testing::ElementsAre;
  const auto fast = find_published("FastVideo/FastWan2.1-T2V-1.3B-Diffusers").value();
  EXPECT_EQ(fast.num_frames, 61);
  EXPECT_THAT(fast.dmd_denoising_steps, ElementsAre(1000, 757, 522));
  EXPECT_EQ(find_published("FastVideo/FastWan2.2-TI2V-5B-FullAttn-Diffusers")->fps, 24);
  const auto turbo = find_published("IPostYellow/TurboWan2.2-I2V-A14B-Diffusers").value();
  EXPECT_THAT(turbo.dmd_denoising_steps, ElementsAre(996, 932, 852, 608));
  EXPECT_EQ(turbo.boundary_ratio, 0.9);
  for (const auto& model : published_models()) {
    if (model.dmd_denoising_steps.empty()) continue;
    EXPECT_EQ(model.num_inference_steps, model.dmd_denoising_steps.size()) << model.ids[0];
    EXPECT_EQ(model.guidance_scale, 1) << model.ids[0];
    EXPECT_EQ(model.flow_shift, 8) << model.ids[0];
  }
}

TEST(PublishedModels, OfLightX2VHaveTheirOwnSteps) {
  for (const std::string id : {"Wan2.1-T2V-14B-StepDistill-CfgDistill-Lightx2v",
                               "Wan2.1-I2V-14B-480P-StepDistill-CfgDistill-Lightx2v",
                               "Wan2.1-I2V-14B-720P-StepDistill-CfgDistill-Lightx2v",
                               "Wan2.1-Distill-Models", "Wan2.2-Distill-Models"}) {
    const auto model = find_published("lightx2v/" + id);
    ASSERT_TRUE(model) << id;
    EXPECT_THAT(model->denoising_step_list, testing::ElementsAre(1000, 750, 500, 250)) << id;
    EXPECT_EQ(model->num_inference_steps, 4) << id;
    EXPECT_EQ(model->guidance_scale, 1) << id;
    EXPECT_EQ(model->flow_shift, 5) << id;
    EXPECT_EQ(model->boundary_ratio.has_value(), id.starts_with("Wan2.2")) << id;
  }
}

TEST(FindPublished, KnowsRepositoriesAndTheCacheAndNothingElse) {
  const std::string cache = "/home/me/.cache/huggingface/hub/";
  for (const std::string& id :
       {std::string("Wan-AI/Wan2.1-T2V-14B-Diffusers"), std::string("wan-ai/wan2.1-t2v-14b"),
        cache + "models--Wan-AI--Wan2.1-T2V-14B-Diffusers/snapshots/38ec498cb3208fb6",
        cache + "models--Wan-AI--Wan2.1-T2V-14B-Diffusers/snapshots/38ec498cb3208fb6/"}) {
    const auto found = find_published(id);
    ASSERT_TRUE(found) << id;
    EXPECT_EQ(found->ids.front(), "Wan-AI/Wan2.1-T2V-14B-Diffusers") << id;
  }
  for (const std::string& id :
       {std::string(), std::string("/"), std::string("Wan2.1-T2V-14B-Diffusers"),
        std::string("/models/Wan-AI/Wan2.1-T2V-14B-Diffusers"),
        std::string("someone/Wan2.1-T2V-14B-Diffusers"),
        cache + "models--someone--Wan2.1-T2V-14B-Diffusers/snapshots/38ec",
        cache + "Wan-AI--Wan2.1-T2V-14B-Diffusers/snapshots/38ec",
        cache + "models--Wan-AI--Wan2.1-T2V-14B-Diffusers"}) {
    EXPECT_FALSE(find_published(id)) << id;
  }
}

/// A folder of no known name, with the index and the published transformer of a model.
std::optional<ModelDefaults> alike(const std::string& index, const std::string& keys,
                                   const nlohmann::json& change = nlohmann::json::object()) {
  const test::TemporaryFolder folder;
  const auto goldens = std::filesystem::path(REEL_SOURCE_DIR) / "tests/goldens/keys";
  auto transformer = read_json(goldens / (keys + ".json")).at("config");
  transformer.update(change);
  folder.write("model_index.json", index);
  folder.write("transformer/config.json", transformer.dump());
  return find_alike({folder.path(), {}, {{"transformer", folder / "transformer"}}});
}

TEST(FindAlike, KnowsPublishedFoldersOfAnyName) {
  const std::string plain = R"({"_class_name": "WanPipeline"})";
  const std::string image = R"({"_class_name": "WanImageToVideoPipeline", "boundary_ratio": null})";
  const std::string vace = R"({"_class_name": "WanVACEPipeline"})";
  const std::string dmd = R"({"_class_name": "WanDMDPipeline"})";
  for (const auto& [index, keys, id] :
       {std::tuple(plain, "wan2.1-t2v-1.3b", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"),
        {R"({"_class_name": "WanVideoToVideoPipeline"})", "wan2.1-t2v-14b",
         "Wan-AI/Wan2.1-T2V-14B-Diffusers"},
        {image, "wan2.1-i2v-14b", "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers"},
        {image, "wan2.1-flf2v-14b", "Wan-AI/Wan2.1-FLF2V-14B-720P-diffusers"},
        {image, "wan2.1-fun-1.3b-inp", "weizhou03/Wan2.1-Fun-1.3B-InP-Diffusers"},
        {vace, "wan2.1-vace-1.3b", "Wan-AI/Wan2.1-VACE-1.3B-diffusers"},
        {vace, "wan2.1-vace-14b", "Wan-AI/Wan2.1-VACE-14B-diffusers"},
        {R"({"_class_name": "WanPipeline", "boundary_ratio": 0.875})", "wan2.2-t2v-a14b",
         "Wan-AI/Wan2.2-T2V-A14B-Diffusers"},
        {R"({"_class_name": "WanImageToVideoPipeline", "boundary_ratio": 0.9})", "wan2.2-i2v-a14b",
         "Wan-AI/Wan2.2-I2V-A14B-Diffusers"},
        {R"({"_class_name": "WanPipeline", "expand_timesteps": true})", "wan2.2-ti2v-5b",
         "Wan-AI/Wan2.2-TI2V-5B-Diffusers"},
        {dmd, "wan2.1-t2v-1.3b", "FastVideo/FastWan2.1-T2V-1.3B-Diffusers"},
        {dmd, "wan2.2-ti2v-5b", "FastVideo/FastWan2.2-TI2V-5B-FullAttn-Diffusers"}}) {
    const auto found = alike(index, keys);
    ASSERT_TRUE(found) << id;
    EXPECT_EQ(found->ids.front(), id);
  }
}

TEST(FindAlike, KnowsTurboWanByItsAttention) {
  const nlohmann::json sparse = {{"attention_type", "sla"}, {"sla_topk", 0.1}};
  const std::string dmd = R"({"_class_name": "WanDMDPipeline"})";
  const std::string image =
      R"({"_class_name": "WanImageToVideoDmdPipeline", "boundary_ratio": 0.9})";
  for (const auto& [index, keys, first] : {std::tuple(dmd, "wan2.1-t2v-1.3b", 988),
                                           {dmd, "wan2.1-t2v-14b", 988},
                                           {image, "wan2.2-i2v-a14b", 996}}) {
    const auto found = alike(index, keys, sparse);
    ASSERT_TRUE(found) << keys;
    EXPECT_EQ(found->dmd_denoising_steps.front(), first);
  }
}

TEST(FindAlike, KnowsNoOther) {
  const std::string plain = R"({"_class_name": "WanPipeline", "boundary_ratio": null})";
  EXPECT_TRUE(alike(plain, "wan2.1-t2v-1.3b"));
  EXPECT_FALSE(alike(plain, "wan2.1-t2v-1.3b", {{"num_layers", 29}}));
  EXPECT_FALSE(alike(plain, "wan2.1-t2v-1.3b", {{"in_channels", 32}}));
  EXPECT_FALSE(alike(R"({"_class_name": "WanPipeline", "boundary_ratio": 0.5})", "wan2.1-t2v-14b"));
  EXPECT_FALSE(alike(R"({"_class_name": "WanImageToVideoPipeline"})", "wan2.1-t2v-14b"));
  // Wan2.2-VACE-Fun, which has two experts.
  const std::string fun = R"({"_class_name": "WanVACEPipeline", "boundary_ratio": 0.875})";
  EXPECT_FALSE(alike(fun, "wan2.1-vace-14b"));
}

TEST(DefaultsOf, AnUnnamedFolderGetsItsOwnJson) {
  ModelIndex index;
  SchedulerConfig scheduler;
  scheduler.flow_shift = 7;
  const auto plain = defaults_of(index, {}, scheduler);
  EXPECT_EQ((Size{plain.width, plain.height}), (Size{832, 480}));
  EXPECT_EQ(plain.num_frames, 81);
  EXPECT_EQ(plain.fps, 16);
  EXPECT_EQ(plain.num_inference_steps, 50);
  EXPECT_EQ(plain.guidance_scale, 5.0);
  EXPECT_EQ(plain.flow_shift, 7.0);
  EXPECT_EQ(plain.negative_prompt, "");
  EXPECT_EQ(plain.boundary_ratio, std::nullopt);
  EXPECT_THAT(plain.problems(), testing::IsEmpty());

  index.expand_timesteps = true;
  const auto tokens = defaults_of(index, {}, scheduler);
  EXPECT_EQ((Size{tokens.width, tokens.height}), (Size{1280, 704}));
  EXPECT_EQ(tokens.num_frames, 121);
  EXPECT_EQ(tokens.fps, 24);

  index = {};
  index.class_name = "WanDMDPipeline";
  EXPECT_THAT(defaults_of(index, {}, scheduler).dmd_denoising_steps,
              testing::ElementsAre(1000, 757, 522));
  EXPECT_EQ(defaults_of(index, {}, scheduler).flow_shift, 8);

  index = {};
  index.boundary_ratio = 0.9;
  EXPECT_EQ(defaults_of(index, {}, scheduler).boundary_ratio, 0.9);
}

TEST(OwnDefaults, AreWhatTheFolderSays) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(own_defaults(folder.path()));
  std::filesystem::create_symlink("nowhere", folder / "reel.json");
  EXPECT_THROW(own_defaults(folder.path()), Error) << "half a download";
  std::filesystem::remove(folder / "reel.json");

  const auto write = [&](const std::string& more) {
    folder.write("reel.json", R"({"sizes": ["96x64", "128x96"], "num_frames": 17, "fps": 16,
        "num_inference_steps": 20, "guidance_scale": 4, "flow_shift": 3, "max_sequence_length": 512)" +
                                  more + "}");
  };
  write(R"(, "negative_prompt": "")");
  const auto own = own_defaults(folder.path()).value();
  EXPECT_EQ((Size{own.width, own.height}), (Size{96, 64}));
  EXPECT_EQ(own.num_frames, 17);
  EXPECT_EQ(own.num_inference_steps, 20);

  for (const std::string more :
       {"", R"(, "negative_prompt": "", "idz": [])", R"(, "negative_prompt": 3)"}) {
    write(more);
    EXPECT_THROW(own_defaults(folder.path()), Error) << more;
  }
}

TEST(ModelDefaults, NamesEveryProblem) {
  ModelDefaults d;
  d.width = 833;
  d.num_frames = 80;
  d.fps = 0;
  d.flow_shift = -1;
  d.boundary_ratio = 2;
  d.dmd_denoising_steps = {522, 757};
  d.denoising_step_list = {1001};
  EXPECT_THAT(d.problems(),
              testing::ElementsAre(testing::HasSubstr("width"), testing::HasSubstr("num_frames"),
                                   testing::HasSubstr("fps"), testing::HasSubstr("flow_shift"),
                                   testing::HasSubstr("boundary_ratio"),
                                   testing::HasSubstr("dmd_denoising_steps: expected falling"),
                                   testing::HasSubstr("denoising_step_list: expected falling"),
                                   testing::HasSubstr("expected one at most")));
}

}  // namespace
}  // namespace reel::config
