#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>

#include "reel/base/error.h"
#include "reel/config/json_reader.h"
#include "reel/config/scheduler_config.h"
#include "reel/config/umt5_config.h"
#include "reel/config/wan_transformer_config.h"
#include "reel/config/wan_vae_config.h"
#include "temporary_folder.h"

namespace reel::config {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

std::filesystem::path goldens() { return std::filesystem::path(REEL_SOURCE_DIR) / "tests/goldens"; }

/// A change to a sound file, and what the refusal must say.
struct Refusal {
  std::string key;
  json value;
  std::string says;
};

template <class Read>
void expect_refusals(const std::filesystem::path& sound, const Read& read,
                     const std::vector<Refusal>& refusals) {
  const test::TemporaryFolder folder;
  const json original = read_json(sound);
  ASSERT_NO_THROW(read(sound));
  for (const auto& [key, value, says] : refusals) {
    json changed = original;
    changed[key] = value;
    const auto file = folder.write("config.json", changed.dump());
    EXPECT_THAT([&] { read(file); },
                ThrowsMessage<Error>(AllOf(HasSubstr("config.json: "), HasSubstr(says))))
        << key << " = " << value;
  }
}

json published(const std::string& name) {
  return read_json(goldens() / "keys" / (name + ".json")).at("config");
}

TEST(WanTransformerConfig, ReadsThePublishedModels) {
  struct Row {
    const char* name;
    int64_t heads, layers, ffn, in;
    std::optional<int64_t> image_dim;
  };
  const test::TemporaryFolder folder;
  for (const Row& row :
       {Row{"wan2.1-t2v-1.3b", 12, 30, 8960, 16, {}}, Row{"wan2.1-t2v-14b", 40, 40, 13824, 16, {}},
        Row{"wan2.2-t2v-a14b", 40, 40, 13824, 16, {}}, Row{"wan2.2-ti2v-5b", 24, 30, 14336, 48, {}},
        Row{"wan2.1-i2v-14b", 40, 40, 13824, 36, 1280}}) {
    const auto c =
        read_wan_transformer_config(folder.write("config.json", published(row.name).dump()));
    EXPECT_EQ(c.num_attention_heads, row.heads) << row.name;
    EXPECT_EQ(c.num_layers, row.layers) << row.name;
    EXPECT_EQ(c.ffn_dim, row.ffn) << row.name;
    EXPECT_EQ(c.in_channels, row.in) << row.name;
    EXPECT_EQ(c.image_dim, row.image_dim) << row.name;
    EXPECT_EQ(c.dim(), row.heads * 128) << row.name;
  }
}

TEST(WanTransformerConfig, DefaultsAreTheConstructors) {
  const test::TemporaryFolder folder;
  const auto c = read_wan_transformer_config(folder.write("config.json", "{}"));
  EXPECT_EQ(c.out_channels, 16);
  EXPECT_EQ(c.num_layers, 40);
  const auto d = read_wan_transformer_config(
      folder.write("config.json", R"({"in_channels": 36, "out_channels": null})"));
  EXPECT_EQ(d.out_channels, 36) << "null is as many as go in";
}

TEST(WanTransformerConfig, Refuses) {
  expect_refusals(goldens() / "models/t2v-tiny/transformer/config.json",
                  &read_wan_transformer_config,
                  {{"_class_name", "WanS2VTransformer3DModel",
                    "_class_name WanS2VTransformer3DModel is Wan S2V (speech to video), which is"},
                   {"_class_name", "FluxTransformer2DModel",
                    R"(_class_name expected "WanTransformer3DModel", got "Flux)"},
                   {"vace_layers", {0, 5}, "vace_layers is unknown"},
                   {"quantization_config", json::object(), "quantization_config is unknown"},
                   {"num_layers", 2.7, "num_layers has the wrong type: 2.7"},
                   {"num_layers", true, "num_layers has the wrong type: true"},
                   {"num_layers", "3", "num_layers has the wrong type: \"3\""},
                   {"patch_size", {1, 2, 2, 2}, "patch_size has the wrong type: [1,2,2,2]"},
                   {"num_layers", 1e300, "num_layers has the wrong type"},
                   {"num_layers", 0, "num_layers: expected 1 to 1024, got 0"},
                   {"num_layers", 1000000, "num_layers: expected 1 to 1024"},
                   {"num_attention_heads", -3, "num_attention_heads: expected 1"},
                   {"num_attention_heads", uint64_t{1} << 63, "num_attention_heads has the wrong"},
                   {"attention_head_dim", 7, "attention_head_dim: expected an even number, got 7"},
                   {"attention_head_dim", 4, "attention_head_dim: expected 6"},
                   {"in_channels", 0, "in_channels"},
                   {"added_kv_proj_dim", 25, "added_kv_proj_dim: expected the width, 24, got 25"},
                   {"text_dim", int64_t{1} << 40, "text_dim"},
                   {"freq_dim", 21, "freq_dim: expected an even number"},
                   {"qk_norm", "layer_norm", "qk_norm: expected rms_norm_across_heads"},
                   {"eps", -1e-6, "eps: expected 0"},
                   {"attention_type", "radial", "expected original, sla or sagesla, got radial"},
                   {"cross_attn_norm", 1, "cross_attn_norm has the wrong type"},
                   {"patch_size", {1, 2}, "patch_size has the wrong type"},
                   {"patch_size", {1, 2, 2.5}, "patch_size has the wrong type"},
                   {"patch_size", {0, 2, 2}, "patch_size: expected 1 to 16"}});
}

TEST(WanTransformerConfig, ReadsVace) {
  const test::TemporaryFolder folder;
  const auto small = read_wan_transformer_config(
      folder.write("config.json", published("wan2.1-vace-1.3b").dump()));
  EXPECT_EQ(small.vace_layers.size(), 15u);
  EXPECT_EQ(small.vace_layers.back(), 28);
  const auto plain = read_wan_transformer_config(
      folder.write("config.json", R"({"_class_name": "WanVACETransformer3DModel"})"));
  EXPECT_EQ(plain.vace_layers, (std::vector<int64_t>{0, 5, 10, 15, 20, 25, 30, 35}));
  EXPECT_EQ(plain.vace_in_channels, 96);
  expect_refusals(
      goldens() / "models/vace-tiny/transformer/config.json", &read_wan_transformer_config,
      {{"vace_layers", json::array(), "vace_layers is empty"},
       {"vace_layers", {1, 2}, "vace_layers: expected rising numbers from 0 to below 3"},
       {"vace_layers", {0, 3}, "vace_layers: expected rising"},
       {"vace_layers", {0, 0}, "vace_layers: expected rising"},
       {"vace_layers", 0, "vace_layers has the wrong type"},
       {"vace_in_channels", 0, "vace_in_channels: expected 1"}});
}

TEST(WanVaeConfig, ReadsThePublishedModels) {
  const test::TemporaryFolder folder;
  const auto a = read_wan_vae_config(folder.write("a.json", published("wan2.1-vae").dump()));
  EXPECT_EQ(a.base_dim, 96);
  EXPECT_EQ(a.z_dim, 16);
  EXPECT_FALSE(a.is_residual);
  EXPECT_EQ(a.latents_std.back(), 1.9160);
  const auto b = read_wan_vae_config(folder.write("b.json", published("wan2.2-vae").dump()));
  EXPECT_EQ(b.base_dim, 160);
  EXPECT_EQ(b.decoder_base_dim, 256);
  EXPECT_EQ(b.z_dim, 48);
  EXPECT_EQ(b.patch_size, 2);
  EXPECT_EQ(b.scale_factor_spatial, 16);
  EXPECT_TRUE(b.is_residual);
  EXPECT_EQ(WanVaeConfig{}.problems(), std::vector<std::string>{});
}

TEST(WanVaeConfig, Refuses) {
  expect_refusals(
      goldens() / "models/ti2v-5b-tiny/vae/config.json", &read_wan_vae_config,
      {{"_class_name", "AutoencoderKL", "_class_name expected \"AutoencoderKLWan\""},
       {"scaling_factor", 0.18, "scaling_factor is unknown"},
       {"base_dim", 0, "base_dim: expected 1"},
       {"dim_mult", json::array(), "dim_mult (its length): expected 1 to 8, got 0"},
       {"dim_mult", {1, 2, -4, 4}, "dim_mult: expected 1"},
       {"dim_mult", {1, 2, 1, 3}, "dim_mult: expected 1 x 8 to be a multiple of 3"},
       {"temperal_downsample", {true, true}, "temperal_downsample: expected one less than the 4"},
       {"temperal_downsample", {1, 0, 1}, "temperal_downsample has the wrong type"},
       {"patch_size", nullptr, "in_channels: expected 3, got 12"},
       {"in_channels", 3, "in_channels: expected 12, got 3"},
       {"out_channels", 3, "out_channels: expected 12, got 3"},
       {"scale_factor_spatial", 8, "scale_factor_spatial: expected 16, got 8"},
       {"scale_factor_temporal", 8, "scale_factor_temporal: expected 4, got 8"},
       {"z_dim", 16, "latents_mean (its length): expected 16, got 48"},
       {"latents_std", std::vector<double>(48, 0.0), "latents_std: expected over 0, got 0"}});
}

TEST(Umt5Config, ReadsThePublishedModel) {
  const test::TemporaryFolder folder;
  json whole = published("umt5-xxl");
  // What the published file has beside the keys of the golden.
  whole.update({{"architectures", {"UMT5EncoderModel"}},
                {"model_type", "umt5"},
                {"output_past", true},
                {"scalable_attention", true},
                {"tokenizer_class", "T5Tokenizer"},
                {"torch_dtype", "float32"},
                {"use_cache", true},
                {"num_decoder_layers", 24}});
  const auto c = read_umt5_config(folder.write("config.json", whole.dump()));
  EXPECT_EQ(c.vocab_size, 256384);
  EXPECT_EQ(c.d_model, 4096);
  EXPECT_EQ(c.d_ff, 10240);
  EXPECT_EQ(c.num_layers, 24);
  EXPECT_EQ(c.num_heads, 64);
}

TEST(Umt5Config, Refuses) {
  expect_refusals(goldens() / "models/t2v-tiny/text_encoder/config.json", &read_umt5_config,
                  {{"model_type", "t5", "model_type expected \"umt5\", got \"t5\""},
                   {"feed_forward_proj", "relu", "feed_forward_proj expected \"gated-gelu\""},
                   {"dense_act_fn", "gelu", "dense_act_fn expected \"gelu_new\""},
                   {"is_gated_act", false, "is_gated_act expected true"},
                   {"rope_scaling", 2, "rope_scaling is unknown"},
                   {"vocab_size", -1, "vocab_size"},
                   {"num_layers", 5000, "num_layers"},
                   {"relative_attention_num_buckets", 2, "relative_attention_num_buckets"},
                   {"relative_attention_max_distance", 8, "relative_attention_max_distance"},
                   {"layer_norm_epsilon", "1e-6", "layer_norm_epsilon has the wrong type"}});
}

TEST(SchedulerConfig, ReadsBothClasses) {
  const auto unipc =
      read_scheduler_config(goldens() / "models/ti2v-5b-tiny/scheduler/scheduler_config.json");
  EXPECT_EQ(flow_shift_of(unipc), 5.0);
  EXPECT_EQ(unipc.solver_order, 2);
  const test::TemporaryFolder folder;
  const auto euler = read_scheduler_config(folder.write(
      "scheduler_config.json",
      R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.5, "base_shift": 0.5})"));
  EXPECT_EQ(flow_shift_of(euler), 3.5);
}

TEST(SchedulerConfig, RefusesWhatWouldChangeTheResult) {
  expect_refusals(
      goldens() / "models/t2v-tiny/scheduler/scheduler_config.json",
      [](const auto& file) { return read_scheduler_config(file); },
      {{"_class_name", "DDIMScheduler", "_class_name: expected UniPCMultistepScheduler"},
       {"thresholding", true, "thresholding expected false, got true"},
       {"use_karras_sigmas", true, "use_karras_sigmas expected false"},
       {"use_exponential_sigmas", true, "use_exponential_sigmas expected false"},
       {"use_beta_sigmas", true, "use_beta_sigmas expected false"},
       {"use_dynamic_shifting", true, "use_dynamic_shifting expected false"},
       {"use_flow_sigmas", false, "use_flow_sigmas must be true"},
       {"use_flow_sigmas", nullptr, "use_flow_sigmas must be true"},
       {"prediction_type", "epsilon", "prediction_type must be flow_prediction"},
       {"prediction_type", nullptr, "prediction_type must be flow_prediction"},
       {"predict_x0", false, "predict_x0 expected true"},
       {"solver_p", "DEIS", "solver_p must be null"},
       {"solver_type", "midpoint", "solver_type: expected bh2 or bh1, got midpoint"},
       {"solver_order", 4, "solver_order: expected 1 to 3, got 4"},
       {"lower_order_final", false, "solver_order: 2 without lower_order_final divides by zero"},
       {"final_sigmas_type", "one", "final_sigmas_type: expected zero or sigma_min"},
       {"flow_shift", 0, "flow_shift: expected"},
       {"flow_shift", "3", "flow_shift has the wrong type"},
       {"shift_terminal", 1.0, "shift_terminal: expected"},
       {"num_train_timesteps", 0, "num_train_timesteps: expected"},
       {"disable_corrector", {-1}, "disable_corrector: expected"},
       {"variance_type", "learned", "variance_type is unknown"}});
}

TEST(SchedulerConfig, IsOfTheClassThatTheIndexNames) {
  const test::TemporaryFolder folder;
  folder.write("scheduler/scheduler_config.json", R"({"flow_shift": 9, "shift": 3})");
  ModelFolder model;
  model.path = folder.path();
  model.components["scheduler"] = folder / "scheduler";
  model.index.components["scheduler"] = {"diffusers", "FlowMatchEulerDiscreteScheduler"};
  EXPECT_EQ(flow_shift_of(scheduler_config_of(model)), 3) << "without a _class_name";
  folder.write("scheduler/scheduler_config.json",
               R"({"_class_name": "UniPCMultistepScheduler", "flow_shift": 9, "shift": 3,
                   "prediction_type": "flow_prediction", "use_flow_sigmas": true})");
  EXPECT_EQ(flow_shift_of(scheduler_config_of(model)), 3);
  model.path = "elsewhere";  // and another folder given for its own
  EXPECT_EQ(flow_shift_of(scheduler_config_of(model)), 9);
  model.path = folder.path();
  model.index.components["scheduler"] = {"diffusers", "UniPCMultistepScheduler"};
  folder.write("scheduler/scheduler_config.json",
               R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3})");
  EXPECT_EQ(flow_shift_of(scheduler_config_of(model)), 3) << "by UniPC it is no flow's";
}

TEST(SchedulerConfig, RefusesForEuler) {
  const test::TemporaryFolder folder;
  const auto sound =
      folder.write("sound.json", R"({"_class_name": "FlowMatchEulerDiscreteScheduler"})");
  expect_refusals(sound, [](const auto& file) { return read_scheduler_config(file); },
                  {{"invert_sigmas", true, "invert_sigmas expected false"},
                   {"stochastic_sampling", true, "stochastic_sampling expected false"},
                   {"use_dynamic_shifting", true, "use_dynamic_shifting expected false"},
                   {"variance_type", "learned", "variance_type is unknown"},
                   {"shift", -1, "shift: expected"}});
}

TEST(SchedulerConfig, LetsTheKeysOfAnotherClassBe) {
  const test::TemporaryFolder folder;
  const auto read = [&](std::string_view text) {
    return read_scheduler_config(folder.write("config.json", std::string(text)));
  };
  const auto euler = read(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 5,
    "flow_shift": 9, "solver_order": 7, "use_flow_sigmas": false, "beta_start": 0.1,
    "shift_terminal": 0.0})");
  EXPECT_EQ(flow_shift_of(euler), 5);
  EXPECT_FALSE(euler.shift_terminal) << "0 is none, in Python";
  const auto unipc = read(R"({"_class_name": "UniPCMultistepScheduler", "flow_shift": 3, "shift": 9,
    "prediction_type": "flow_prediction", "use_flow_sigmas": true, "stochastic_sampling": true})");
  EXPECT_EQ(flow_shift_of(unipc), 3);
}

TEST(ReadJson, RefusesWhatIsNoObjectOfReasonableSize) {
  const test::TemporaryFolder folder;
  const auto read = [&](std::string_view text) {
    return [&folder, text] { read_umt5_config(folder.write("config.json", text)); };
  };
  EXPECT_THAT(read(""), ThrowsMessage<Error>(HasSubstr("config.json: no JSON")));
  EXPECT_THAT(read("{\"a\": \xff}"), ThrowsMessage<Error>(HasSubstr("config.json: no JSON")));
  EXPECT_THAT(read("[]"), ThrowsMessage<Error>(HasSubstr("expected a JSON object")));
  const std::string deep = "{\"a\": \"[\\\"[\", \"num_layers\": " + std::string(1 << 19, '[');
  EXPECT_THAT(read(deep + std::string(1 << 19, ']') + "}"),
              ThrowsMessage<Error>(HasSubstr("config.json: JSON: nested more than 64 deep")));
  EXPECT_THAT(read(std::string((16 << 20) + 1, ' ')), ThrowsMessage<Error>(HasSubstr("at most")));
  EXPECT_THAT([&] { read_json(folder / "none.json"); },
              ThrowsMessage<Error>(HasSubstr("none.json: cannot be opened")));
  EXPECT_THAT([&] { read_json(folder.path()); },
              ThrowsMessage<Error>(HasSubstr("expected a file")));
  const auto pipe = folder / "pipe.json";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT([&] { read_json(pipe); }, ThrowsMessage<Error>(HasSubstr("expected a file")));
}

TEST(ReadJson, SaysWhatIsWrongInAFewWords) {
  const test::TemporaryFolder folder;
  const auto cut = folder.write("cut.json", "{\"a\": \"" + std::string(1 << 20, 'x'));
  EXPECT_THAT([&] { read_json(cut); },
              ThrowsMessage<Error>(AllOf(HasSubstr("cut.json: no JSON: parse error at line 1"),
                                         Not(HasSubstr("exception")), Not(HasSubstr("xxx")))));
}

}  // namespace
}  // namespace reel::config
