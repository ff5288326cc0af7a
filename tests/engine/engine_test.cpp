#include "reel/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "golden.h"
#include "reel/base/error.h"
#include "temporary_folder.h"

namespace reel::engine {
namespace {

namespace fs = std::filesystem;
using Phase = gen::State::Phase;
using testing::HasSubstr;

Options tiny(const std::string& name = "t2v-tiny") {
  Options options;
  options.model_path = test::golden_folder() / "models" / name;
  options.device = "cpu";
  options.threads = 1;
  options.warm_up = false;
  return options;
}

gen::State settled(const Engine& engine) {
  for (;;) {
    auto state = engine.state();
    if (state.phase != Phase::Loading) return state;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string fault(const Options& options) {
  try {
    const Engine engine(options);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

class Sink final : public gen::FrameSink {
 public:
  void begin(const gen::VideoFormat& f) override { format = f; }
  void write(gen::Frames frames) override { count += frames.count; }
  gen::VideoFormat format;
  int count = 0;
};

class GoOn final : public gen::Control {
 public:
  Ask ask() override { return Ask::GoOn; }
  void report(const gen::Progress&) override {}
};

gen::VideoRequest small_request() {
  gen::VideoRequest request;
  request.prompt = "a red ball";
  request.width = 48;
  request.height = 32;
  request.num_frames = 7;
  request.num_inference_steps = 2;
  return request;
}

TEST(Engine, WarmsUpAndMakesAVideo) {
  for (const char* name : {"t2v-tiny", "a14b-tiny", "ti2v-5b-tiny", "vace-tiny"}) {
    auto options = tiny(name);
    options.warm_up = true;
    Engine engine(options);
    ASSERT_EQ(settled(engine).phase, Phase::Ready) << engine.state().why;
    auto request = small_request();
    request.width = request.height = 64;
    Sink sink;
    GoOn control;
    const auto outcome = engine.generate(engine.check(request), 0, nullptr, sink, control);
    EXPECT_EQ(outcome.kind, gen::Outcome::Kind::Done);
    EXPECT_EQ(sink.format.frames, 5);  // 7 rounded to 4k + 1
    EXPECT_EQ(sink.count, 5);
    EXPECT_GT(outcome.peak_memory_mb, 1);
  }
}

TEST(Engine, SaysWhatAFolderLacks) {
  test::TemporaryFolder folder;
  auto options = tiny();
  options.model_path = folder.path();
  EXPECT_THAT(fault(options), HasSubstr("model_index.json"));
  options.model_path = "/nowhere";
  EXPECT_THAT(fault(options), HasSubstr("/nowhere"));
  options = tiny();
  options.component_paths["vae"] = folder.path();
  EXPECT_THAT(fault(options), HasSubstr("config.json"));
}

TEST(Engine, RefusesOptionsThatCannotBe) {
  auto options = tiny();
  options.dit_precision = "fp8";
  EXPECT_THAT(fault(options), HasSubstr("--dit-precision"));
  options = tiny();
  options.model_id = "Wan-AI/Wan9-Diffusers";
  EXPECT_THAT(fault(options), HasSubstr("--model-id"));
}

TEST(Engine, TakesAnUnnamedFoldersOwnSettings) {
  const Engine engine(tiny());
  const auto& d = engine.describe();
  EXPECT_EQ(d.flow_shift, 3);  // its scheduler's
  EXPECT_EQ(d.negative_prompt, "");
  EXPECT_EQ(d.size_multiple, 16);
  EXPECT_EQ(d.size.width % 16, 0);
  EXPECT_LE(d.size.width, d.max_side);
  EXPECT_FALSE(d.boundary_ratio);
  const Engine two(tiny("a14b-tiny"));
  EXPECT_TRUE(two.describe().boundary_ratio);
  EXPECT_FALSE(two.describe().guidance_scale_2);  // Diffusers': that of the first expert
  EXPECT_EQ(Engine(tiny("ti2v-5b-tiny")).describe().fps, 24);
}

TEST(Engine, HasANameThatIsUtf8) {
  Options options = tiny();
  options.served_name = "wan \xff";
  EXPECT_EQ(Engine(options).describe().model, "wan \uFFFD");
}

TEST(Engine, SaysWhichVideosAModelTakes) {
  using gen::Take;
  const Engine vace(tiny("vace-tiny")), plain(tiny()), experts(tiny("a14b-tiny"));
  EXPECT_EQ(vace.describe().task, "VACE");
  EXPECT_EQ(vace.describe().takes.mask, Take::Optional);
  EXPECT_EQ(vace.describe().takes.reference_images, Take::Optional);
  EXPECT_EQ(vace.describe().takes.conditioning_layers, 2);
  EXPECT_FALSE(vace.describe().takes.strength);
  EXPECT_EQ(plain.describe().takes.video, Take::Optional);
  EXPECT_EQ(plain.describe().takes.strength, 0.8);
  EXPECT_EQ(experts.describe().takes.video, Take::No);
}

/// A WanVideoToVideoPipeline is a WanPipeline's folder that needs a video.
void change(const fs::path& file, const char* key, const char* value) {
  auto object = nlohmann::json::parse(std::ifstream(file));
  object[key] = value;
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  std::ofstream(file) << object.dump();
}

/// Of a tiny model that another class of pipeline is to serve.
Options copy_of(const std::string& name, const fs::path& folder, const char* class_name) {
  auto options = tiny(name);
  fs::copy(options.model_path, folder, fs::copy_options::recursive);
  change(folder / "model_index.json", "_class_name", class_name);
  options.model_path = folder;
  options.warm_up = true;
  return options;
}

TEST(Engine, WarmsUpVideoToVideo) {
  const test::TemporaryFolder folder;
  const Engine engine(copy_of("t2v-tiny", folder.path(), "WanVideoToVideoPipeline"));
  EXPECT_EQ(engine.describe().task, "V2V");
  EXPECT_EQ(settled(engine).phase, Phase::Ready) << engine.state().why;
}

TEST(Engine, WarmsUpTurboWansImageToVideo) {
  const test::TemporaryFolder folder;
  const auto options = copy_of("i2v-a14b-tiny", folder.path(), "WanImageToVideoDmdPipeline");
  for (const char* expert : {"transformer", "transformer_2"}) {
    change(folder / expert / "config.json", "attention_type", "sla");
  }
  const Engine engine(options);
  EXPECT_EQ(engine.describe().task, "I2V");
  EXPECT_EQ(settled(engine).phase, Phase::Ready) << engine.state().why;
}

TEST(Engine, TakesTheTimestepsOfADistilledModel) {
  auto options = tiny();
  options.dmd_denoising_steps = {988, 932, 852, 608};
  const Engine engine(options);
  EXPECT_EQ(engine.describe().num_inference_steps, 4);
  EXPECT_EQ(engine.describe().guidance_scale, 1);
  EXPECT_EQ(engine.describe().takes.video, gen::Take::No);
  options.dmd_denoising_steps = {988, 988};
  EXPECT_THAT(fault(options), HasSubstr("--dmd-denoising-steps: dmd_denoising_steps: expected"));
  options.dmd_denoising_steps.clear();
  options.model_id = "FastVideo/FastWan2.1-T2V-1.3B-Diffusers";
  options.warm_up = true;
  options.warm_up_sizes = {{48, 32}};
  const Engine fast(options);
  EXPECT_EQ(settled(fast).phase, Phase::Ready) << fast.state().why;
}

TEST(Engine, TakesTheStepsOfAModelThatWasDistilledForEuler) {
  auto options = tiny();
  options.model_id = "lightx2v/Wan2.1-T2V-14B-StepDistill-CfgDistill-Lightx2v";
  const auto published = Engine(options).describe();
  EXPECT_EQ(published.denoising_step_list, (std::vector<int>{1000, 750, 500, 250}));
  EXPECT_EQ(published.num_inference_steps, 4);
  EXPECT_EQ(published.flow_shift, 5);
  options.denoising_step_list = {1000, 500};
  EXPECT_EQ(Engine(options).describe().num_inference_steps, 2);
  options.denoising_step_list = {500, 1000};
  EXPECT_THAT(fault(options), HasSubstr("--denoising-step-list: denoising_step_list: expected"));
  options.denoising_step_list = {1000, 500};
  options.dmd_denoising_steps = {1000, 500};
  EXPECT_THAT(fault(options), HasSubstr("expected one at most"));
}

TEST(Engine, CountsFramesAsTheVaeDoes) {
  test::TemporaryFolder folder;
  auto options = tiny();
  const fs::path vae = options.model_path / "vae";
  auto config = nlohmann::json::parse(std::ifstream(vae / "config.json"));
  config["temperal_downsample"] = {true, true, true};
  config["scale_factor_temporal"] = 8;
  folder.write("config.json", config.dump());
  const std::string weights = "diffusion_pytorch_model.safetensors";
  fs::copy(vae / weights, folder / weights);
  options.component_paths["vae"] = folder.path();
  gen::VideoRequest request;
  request.prompt = "a cat";
  request.num_frames = 13;
  EXPECT_EQ(Engine(options).check(request).num_frames, 9);
}

TEST(Engine, TakesThePublishedSettingsOfAKnownId) {
  auto options = tiny();
  options.model_id = "Wan-AI/Wan2.1-T2V-14B-Diffusers";
  EXPECT_EQ(Engine(options).describe().flow_shift, 5);
  EXPECT_THAT(Engine(options).describe().negative_prompt, HasSubstr("Bright tones"));
  options.flow_shift = 8;
  EXPECT_EQ(Engine(options).describe().flow_shift, 8);
}

TEST(Engine, NamesAFamilyThatIsNotServed) {
  auto options = tiny();
  options.model_id = "Wan-AI/Wan2.2-S2V-14B";
  EXPECT_THAT(fault(options), HasSubstr("--model-id: Wan-AI/Wan2.2-S2V-14B is Wan S2V (speech"));
}

TEST(Engine, RefusesWhatThisModelCannotDo) {
  const Engine engine(tiny());
  const auto param = [&](auto change) {
    auto request = small_request();
    change(request);
    try {
      engine.check(request);
    } catch (const Error& error) {
      return error.param();
    }
    return std::string("none");
  };
  EXPECT_EQ(param([](auto&) {}), "none");
  EXPECT_EQ(param([](auto& r) { r.width = 8; }), "size");
  EXPECT_EQ(param([](auto& r) { r.guidance_scale_2 = 3; }), "guidance_scale_2");
  EXPECT_EQ(param([](auto& r) { r.max_sequence_length = 100'000; }), "max_sequence_length");
  EXPECT_EQ(param([](auto& r) { r.generator_device = "cuda"; }), "generator_device");
}

TEST(Engine, WeightsThatCannotBeAreAState) {
  test::TemporaryFolder folder;
  auto options = tiny();
  fs::copy(options.model_path / "transformer", folder / "transformer", fs::copy_options::recursive);
  const auto file = folder / "transformer" / "diffusion_pytorch_model.safetensors";
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(file, fs::file_size(file) - 1);
  options.component_paths["transformer"] = folder / "transformer";
  const Engine engine(options);
  const auto state = settled(engine);
  EXPECT_EQ(state.phase, Phase::Failed);
  EXPECT_THAT(state.why, HasSubstr("diffusion_pytorch_model.safetensors"));
}

}  // namespace
}  // namespace reel::engine
