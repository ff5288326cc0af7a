#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <map>

#include "device.h"
#include "reel/config/json_reader.h"
#include "reel/config/model_index.h"
#include "reel/models/clip_vision.h"
#include "reel/models/umt5.h"
#include "reel/models/wan_native_names.h"
#include "reel/models/wan_transformer.h"
#include "reel/models/wan_vae.h"
#include "reel/weights/checkpoint.h"
#include "temporary_folder.h"

namespace reel::models {
namespace {

using Keys = std::map<std::string, std::vector<int64_t>>;  // name to shape

const std::filesystem::path kGoldens = test::golden_folder();

/// A published component: its configuration, and the names and shapes of its tensors.
struct Published {
  explicit Published(const std::string& name)
      : golden(config::read_json(kGoldens / "keys" / (name + ".json"))),
        file(folder.write("config.json", golden.at("config").dump())) {
    for (const auto& [key, shape] : golden.at("tensors").items()) expand(key, shape);
    EXPECT_EQ(keys.size(), golden.at("count")) << name;
  }

  /// "blocks.{0..29}.x" is thirty names.
  void expand(const std::string& key, const std::vector<int64_t>& shape) {
    const size_t open = key.find('{'), dots = key.find(".."), close = key.find('}');
    if (open == key.npos) {
      keys[key] = shape;
      return;
    }
    int last = 0;
    std::from_chars(key.data() + dots + 2, key.data() + close, last);
    for (int i = 0; i <= last; ++i) {
      keys[key.substr(0, open) + std::to_string(i) + key.substr(close + 1)] = shape;
    }
  }

  test::TemporaryFolder folder;
  nlohmann::json golden;
  std::filesystem::path file;
  Keys keys;
};

/// What a model declares: nothing is allocated.
template <class Model, class Config>
Keys declared(const Config& config) {
  weights::ParamSet params(at::kCPU, at::kBFloat16);
  const Model model(weights::ParamScope(params), config);
  Keys keys;
  for (const weights::Param& param : params.params()) keys[param.name] = param.shape;
  return keys;
}

/// Both ways, so that a failure names what differs and not two thousand lines.
Keys without(Keys keys, const Keys& others) {
  for (const auto& [name, shape] : others) {
    const auto found = keys.find(name);
    if (found != keys.end() && found->second == shape) keys.erase(found);
  }
  return keys;
}

void expect_same(const Keys& ours, const Keys& theirs, const std::string& name) {
  EXPECT_FALSE(ours.empty()) << name;
  EXPECT_THAT(without(ours, theirs), testing::IsEmpty()) << name << ": declared, not published";
  EXPECT_THAT(without(theirs, ours), testing::IsEmpty()) << name << ": published, not declared";
}

TEST(PublishedKeys, TransformersDeclareThemAll) {
  for (const char* name :
       {"wan2.1-t2v-1.3b", "wan2.1-t2v-14b", "wan2.1-i2v-14b", "wan2.1-flf2v-14b",
        "wan2.1-fun-1.3b-inp", "wan2.1-vace-1.3b", "wan2.1-vace-14b", "wan2.2-t2v-a14b",
        "wan2.2-i2v-a14b", "wan2.2-ti2v-5b"}) {
    const Published published(name);
    const auto config = config::read_wan_transformer_config(published.file);
    expect_same(declared<WanTransformer>(config), published.keys, name);
  }
}

TEST(PublishedKeys, TransformersLeaveWhatNothingReads) {
  const auto unused = WanTransformer::load_options().unused;
  EXPECT_TRUE(unused("blocks.0.attn2.norm_added_q.weight"));  // of I2V 2.1
  EXPECT_TRUE(unused("blocks.3.to_gate_compress.bias"));      // of FastWan2.1
  EXPECT_FALSE(unused("blocks.0.attn2.norm_added_k.weight"));
}

TEST(NativeNames, AreThoseThatDiffusersConverts) {
  const auto names = config::read_json(kGoldens / "native-names.json").at("names");
  ASSERT_GT(names.size(), 80u);
  for (const auto& [name, native] : names.items()) EXPECT_EQ(native_name(name), native);
  EXPECT_EQ(native_name("blocks.39.attn2.add_k_proj.weight"), "blocks.39.cross_attn.k_img.weight");
  EXPECT_EQ(native_name("vace_blocks.7.proj_out.bias"), "vace_blocks.7.after_proj.bias");
}

TEST(NativeNames, AreLookedForWhereTheFileHasThem) {
  weights::ParamSet params(at::kCPU, at::kFloat);
  const weights::ParamScope scope(params);
  scope.declare("proj_out.weight", {1});
  scope.declare("patch_embedding.bias", {1});
  const auto found = [&](const std::string& name) {
    const test::TemporaryFolder folder;
    weights::write_safetensors(folder / "a.safetensors", {{name, at::ones({1})}});
    return native_names(params, weights::Checkpoint(folder / "a.safetensors"));
  };
  EXPECT_THAT(found("proj_out.weight"), testing::IsEmpty()) << "of Diffusers";
  for (const std::string prefix : {"", "model.diffusion_model.", "diffusion_model."}) {
    const auto names = found(prefix + "head.head.weight");
    EXPECT_EQ(names.at("proj_out.weight"), prefix + "head.head.weight");
    EXPECT_EQ(names.at("patch_embedding.bias"), prefix + "patch_embedding.bias");
  }
}

TEST(PublishedKeys, AnotherWidthOrDepthDiffers) {
  const Published published("wan2.1-t2v-1.3b");
  auto config = config::read_wan_transformer_config(published.file);
  config.num_layers -= 1;
  const Keys shallow = declared<WanTransformer>(config);
  EXPECT_THAT(without(shallow, published.keys), testing::IsEmpty());
  EXPECT_EQ(without(published.keys, shallow).size(), 27u) << "one block";
  config.num_layers += 1;
  config.ffn_dim += 1;
  EXPECT_EQ(without(declared<WanTransformer>(config), published.keys).size(), 3u * 30);
}

TEST(PublishedKeys, TheTextEncoderDeclaresThemAll) {
  const Published published("umt5-xxl");
  const auto config = config::read_umt5_config(published.file);
  expect_same(declared<Umt5Encoder>(config), published.keys, "umt5-xxl");
}

TEST(PublishedKeys, TheImageEncoderDeclaresAllThatIsUsed) {
  const Published published("clip-vit-h-14");
  const auto config = config::read_clip_vision_config(published.file);
  Keys used = published.keys;
  const auto options = ClipVision::load_options(weights::ParamSet(at::kCPU, at::kFloat), config);
  EXPECT_EQ(std::erase_if(used, [&](const auto& entry) { return options.unused(entry.first); }),
            16u + 3u);
  expect_same(declared<ClipVision>(config), used, "clip-vit-h-14");
}

TEST(PublishedKeys, VaesDeclareThemAll) {
  for (const char* name : {"wan2.1-vae", "wan2.2-vae"}) {
    const Published published(name);
    const auto config = config::read_wan_vae_config(published.file);
    Keys decoder, encoder;
    for (const auto& entry : published.keys) {
      (wan_vae_encoder_only(entry.first) ? encoder : decoder).insert(entry);
    }
    expect_same(declared<WanVaeDecoder>(config), decoder, name);
    expect_same(declared<WanVaeEncoder>(config), encoder, name);
  }
}

/// Folder, configuration, files and declarations together, as the program reads them.
TEST(TinyModels, LoadFromTheirFolders) {
  for (const char* name : {"t2v-tiny", "a14b-tiny", "ti2v-5b-tiny"}) {
    const auto folder = config::open_model_folder(kGoldens / "models" / name);
    const auto load = [&]<class Model>(std::type_identity<Model>, const auto& config,
                                       const char* part, const char* stem,
                                       const weights::LoadOptions& options) {
      weights::ParamSet params(at::kCPU, at::kBFloat16);
      const Model model(weights::ParamScope(params), config);
      weights::load(params, weights::Checkpoint(folder.component(part), stem), options);
    };
    constexpr const char* kStem = "diffusion_pytorch_model";
    for (const char* part : {"transformer", "transformer_2"}) {
      if (!folder.index.has(part)) continue;
      const auto config =
          config::read_wan_transformer_config(folder.component(part) / "config.json");
      EXPECT_NO_THROW(load(std::type_identity<WanTransformer>{}, config, part, kStem, {})) << name;
    }
    const auto text = config::read_umt5_config(folder.component("text_encoder") / "config.json");
    EXPECT_NO_THROW(load(std::type_identity<Umt5Encoder>{}, text, "text_encoder", "model",
                         Umt5Encoder::load_options()));
    const auto vae = config::read_wan_vae_config(folder.component("vae") / "config.json");
    weights::LoadOptions options;
    EXPECT_THROW(load(std::type_identity<WanVaeDecoder>{}, vae, "vae", kStem, options), Error)
        << "the encoder's tensors are unexpected";
    options.unused = wan_vae_encoder_only;
    EXPECT_NO_THROW(load(std::type_identity<WanVaeDecoder>{}, vae, "vae", kStem, options));
  }
}

}  // namespace
}  // namespace reel::models
