#include "reel/config/model_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"
#include "reel/config/json_reader.h"
#include "temporary_folder.h"

namespace reel::config {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

std::filesystem::path model(const std::string& name) {
  return std::filesystem::path(REEL_SOURCE_DIR) / "tests/goldens/models" / name;
}

/// A folder with every file that a model needs, each of them empty but the index.
void write_model(const test::TemporaryFolder& folder) {
  folder.write("model_index.json", read_json(model("t2v-tiny") / "model_index.json").dump());
  for (const char* file :
       {"transformer/config.json", "transformer/diffusion_pytorch_model.safetensors.index.json",
        "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json",
        "text_encoder/model.safetensors", "tokenizer/spiece.model",
        "scheduler/scheduler_config.json"}) {
    folder.write(file, "");
  }
}

TEST(ModelIndex, ReadsTheTinyModels) {
  const auto plain = read_model_index(model("t2v-tiny") / "model_index.json");
  EXPECT_EQ(plain.class_name, "WanPipeline");
  EXPECT_EQ(plain.components.at("vae").class_name, "AutoencoderKLWan");
  EXPECT_FALSE(plain.has("transformer_2")) << "[null, null] is absent";
  EXPECT_FALSE(plain.expand_timesteps);
  const auto experts = read_model_index(model("a14b-tiny") / "model_index.json");
  EXPECT_TRUE(experts.has("transformer_2"));
  EXPECT_EQ(experts.boundary_ratio, 0.875);
  EXPECT_TRUE(read_model_index(model("ti2v-5b-tiny") / "model_index.json").expand_timesteps);
  EXPECT_EQ(read_model_index(model("vace-tiny") / "model_index.json").class_name,
            "WanVACEPipeline");
}

TEST(ModelIndex, ReadsTurboWansImageToVideo) {
  const test::TemporaryFolder folder;
  json changed = read_json(model("i2v-a14b-tiny") / "model_index.json");
  changed["_class_name"] = "WanImageToVideoDmdPipeline";
  EXPECT_TRUE(
      read_model_index(folder.write("model_index.json", changed.dump())).has("transformer_2"));
}

TEST(ModelIndex, Refuses) {
  const test::TemporaryFolder folder;
  const json original = read_json(model("t2v-tiny") / "model_index.json");
  const std::vector<std::pair<json, std::string>> changes{
      {{{"_class_name", "WanVACEPipeline"}},
       "transformer: expected WanVACETransformer3DModel, got WanTransformer3DModel"},
      {{{"transformer", {"diffusers", "WanVACETransformer3DModel"}}},
       "transformer: expected WanTransformer3DModel, got WanVACETransformer3DModel"},
      {{{"_class_name", "WanImageToVideoPipeline"},
        {"image_encoder", {"transformers", "CLIPTextModel"}}},
       "image_encoder: expected CLIPVisionModel or CLIPVisionModelWithProjection, got CLIPText"},
      {{{"_class_name", "WanAnimatePipeline"}},
       "WanAnimatePipeline is Wan-Animate (a character moved by a video), which is not served; "
       "served: WanPipeline"},
      {{{"_class_name", "WanSpeechToVideoPipeline"}}, "is Wan S2V (speech to video), which is not"},
      {{{"_class_name", "WanFunControlPipeline"}}, "is Wan Fun-Control (a control video), which"},
      {{{"_class_name", "WanCausalDMDPipeline"}}, "is a causal Wan (made frame by frame), which"},
      {{{"transformer", {"diffusers", "CausalWanTransformer3DModel"}}},
       "transformer: expected WanTransformer3DModel, got CausalWanTransformer3DModel is a causal"},
      {{{"_class_name", "WanNextPipeline"}}, "WanNextPipeline is not served yet; served: WanPip"},
      {{{"_class_name", "FluxPipeline"}},
       "FluxPipeline is no Wan model; served: WanPipeline, WanImageToVideoPipeline, "},
      {{{"_class_name", 7}}, "_class_name has the wrong type"},
      {{{"vae", {nullptr, nullptr}}}, "vae is missing"},
      {{{"transformer", {nullptr, nullptr}}}, "transformer is missing"},
      {{{"vae", {"diffusers", "AutoencoderKL"}}}, "vae: expected AutoencoderKLWan, got"},
      {{{"vae", {"diffusers"}}}, "vae must be a library and a class"},
      {{{"vae", {"diffusers", nullptr}}}, "vae must be a library and a class"},
      {{{"scheduler", {"diffusers", "DDIMScheduler"}}}, "scheduler: expected UniPC"},
      {{{"image_encoder", {"transformers", "CLIPVisionModel"}}}, "image_encoder is no component"},
      {{{"boundary_ratio", 0.9}}, "transformer_2 and boundary_ratio: expected both or neither"},
      {{{"transformer_2", {"diffusers", "WanTransformer3DModel"}}}, "expected both or neither"},
      {{{"transformer_2", {"diffusers", "WanTransformer3DModel"}}, {"boundary_ratio", 1.5}},
       "boundary_ratio: expected 0 to 1, got 1.5"},
      {{{"expand_timesteps", "yes"}}, "expand_timesteps has the wrong type"},
      {{{"force_zeros", true}}, "force_zeros is unknown"}};
  for (const auto& [change, says] : changes) {
    json changed = original;
    changed.update(change);
    const auto file = folder.write("model_index.json", changed.dump());
    EXPECT_THAT([&] { read_model_index(file); },
                ThrowsMessage<Error>(AllOf(HasSubstr("model_index.json: "), HasSubstr(says))))
        << change;
  }
}

TEST(ModelFolder, OpensTheTinyModels) {
  for (const char* name : {"t2v-tiny", "a14b-tiny", "ti2v-5b-tiny"}) {
    const auto folder = open_model_folder(model(name));
    EXPECT_EQ(folder.component("vae"), model(name) / "vae");
    EXPECT_EQ(folder.components.contains("transformer_2"), folder.index.has("transformer_2"));
  }
  EXPECT_THAT([] { open_model_folder(model("t2v-tiny")).component("transformer_2"); },
              ThrowsMessage<Error>(HasSubstr("the model has no transformer_2")));
}

TEST(ModelFolder, AFolderStandsInForAComponent) {
  const auto folder = open_model_folder(model("t2v-tiny"), {{"vae", model("a14b-tiny") / "vae"}});
  EXPECT_EQ(folder.component("vae"), model("a14b-tiny") / "vae");
  EXPECT_EQ(folder.component("transformer"), model("t2v-tiny") / "transformer");
  EXPECT_THAT(
      [] {
        open_model_folder(model("t2v-tiny"), {{"transformer_2", "/x"}});
      },
      ThrowsMessage<Error>(HasSubstr("has no transformer_2 that /x could stand in for")));
  EXPECT_THAT(
      [] {
        open_model_folder(model("t2v-tiny"), {{"vae", "/nowhere"}});
      },
      ThrowsMessage<Error>(HasSubstr("/nowhere is no folder")));
}

TEST(ModelFolder, AFileStandsInForAComponentsWeights) {
  const test::TemporaryFolder folder;
  write_model(folder);
  std::filesystem::remove(folder / "vae/diffusion_pytorch_model.safetensors");
  const auto file = folder.write("other.safetensors", "");
  const auto opened = open_model_folder(folder.path(), {{"vae", file}});
  EXPECT_EQ(opened.component("vae"), folder / "vae") << "its configuration";
  EXPECT_EQ(opened.weights.at("vae"), file);
  EXPECT_THAT(
      [&] {
        open_model_folder(folder.path(), {{"vae", folder / "none.safetensors"}});
      },
      ThrowsMessage<Error>(HasSubstr("none.safetensors is no file")));
  EXPECT_THAT(
      [&] {
        open_model_folder(folder.path(), {{"vae", folder / "vae.gguf"}, {"tokenizer", file}});
      },
      ThrowsMessage<Error>(
          AllOf(HasSubstr("vae.gguf is no folder and no .safetensors file"),
                HasSubstr("other.safetensors: a tokenizer has no weights: expected a folder"))));
}

TEST(ModelFolder, SaysAllThatIsMissing) {
  const test::TemporaryFolder folder;
  write_model(folder);
  EXPECT_NO_THROW(open_model_folder(folder.path()));
  std::filesystem::remove(folder / "tokenizer/spiece.model");
  std::filesystem::remove_all(folder / "scheduler");
  std::filesystem::remove(folder / "vae/diffusion_pytorch_model.safetensors");
  folder.write("vae/diffusion_pytorch_model.bin", "");
  EXPECT_THAT([&] { open_model_folder(folder.path()); },
              ThrowsMessage<Error>(
                  AllOf(HasSubstr("tokenizer has no tokenizer.json and no spiece.model"),
                        HasSubstr("scheduler is no folder"), HasSubstr("vae has no diffusion"),
                        HasSubstr("pickles, which can run code: they are not read"))));
}

TEST(ModelFolder, SaysWhatAFolderIsInstead) {
  const test::TemporaryFolder folder;
  const auto expect = [&](const std::string& name, const std::string& says) {
    EXPECT_THAT([&] { open_model_folder(folder / name); },
                ThrowsMessage<Error>(AllOf(HasSubstr(name), HasSubstr(says))));
  };
  expect("none", "is no folder");
  folder.write("file", "");
  expect("file", "is no folder");
  folder.write("empty/readme", "");
  expect("empty", "has no model_index.json: a model in the Diffusers layout is expected");
  folder.write("component/config.json", "{}");
  expect("component", "it looks like one component of a model; give the folder above it");
  folder.write("animate/config.json", R"({"_class_name": "WanAnimateModel"})");
  expect("animate", "WanAnimateModel is Wan-Animate (a character moved by a video), which is not");
  folder.write("s2v/config.json", R"({"_class_name": "WanModel_S2V", "model_type": "s2v"})");
  expect("s2v", "WanModel_S2V is Wan S2V (speech to video), which is not served");
  folder.write("control/config.json",
               R"({"_class_name": "WanModel", "in_dim": 48, "out_dim": 16})");
  expect("control", "in_dim: 48 is of Wan Fun-Control (a control video), which is not served");
  folder.write("odd/config.json",
               R"({"_class_name": "WanModel", "in_dim": 1e300, "out_dim": 2147483647})");
  expect("odd", "Wan-Video's own layout; give the repository whose name ends in -Diffusers");
  folder.write("whole/config.json", R"({"_class_name": "WanModel", "model_type": "i2v",
      "in_dim": 36, "out_dim": 16})");
  expect("whole", "Wan-Video's own layout; give the repository whose name ends in -Diffusers");
  expect("Wan2.2-Animate-14B", "is no folder; Wan2.2-Animate-14B is Wan-Animate (a character");
  expect("Wan2.2-S2V-14B", "is Wan S2V (speech to video), which is not served");
  expect("Wan2.1-Fun-V1.1-14B-Control", "is Wan Fun-Control (a control video), which is not");
  expect("Wan2.1-T2V-14B-CausVid", "is a causal Wan (made frame by frame), which is not served");
  folder.write("native/Wan2.1_VAE.pth", "");
  expect("native", "Wan-Video's own layout; give the repository whose name ends in -Diffusers");
}

TEST(ModelFolder, FollowsTheLinksOfTheCache) {
  const test::TemporaryFolder cache;
  const std::string blob = read_json(model("t2v-tiny") / "model_index.json").dump();
  write_model(cache);
  cache.write("blobs/abc", blob);
  std::filesystem::create_directories(cache / "snapshots/1");
  std::filesystem::create_symlink("../../blobs/abc", cache / "snapshots/1/model_index.json");
  for (const char* part : {"transformer", "vae", "text_encoder", "tokenizer", "scheduler"}) {
    std::filesystem::create_directory_symlink(cache / part, cache / "snapshots/1" / part);
  }
  EXPECT_NO_THROW(open_model_folder(cache / "snapshots/1"));
}

TEST(ModelFolder, SaysWhyItCannotBeRead) {
  const test::TemporaryFolder folder;
  std::filesystem::create_symlink("model_index.json", folder / "model_index.json");
  EXPECT_THAT(
      [&] { open_model_folder(folder.path()); },
      testing::ThrowsMessage<Error>(testing::HasSubstr("model_index.json: Too many levels")));
}

}  // namespace
}  // namespace reel::config
