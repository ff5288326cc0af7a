#include "reel/pipeline/wan_pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/base/error.h"
#include "temporary_folder.h"

// Whole tiny pipelines against Diffusers' own runs, and what each must notice.
namespace reel::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Ask = gen::Control::Ask;

// Four times what equally right runs of Diffusers differ by.
constexpr double kPromptL2 = 1e-5, kLatentL2 = 1e-4, kFrameMax = 3e-4;

class Frames final : public gen::FrameSink {
 public:
  void begin(const gen::VideoFormat& f) override { format = f; }
  void write(gen::Frames frames) override { count += frames.count; }

  gen::VideoFormat format;
  int count = 0;
};

/// Goes on until it has been asked `asks` times, then asks for `then`.
class AskAfter final : public gen::Control {
 public:
  explicit AskAfter(int asks = 1 << 30, Ask then = Ask::GoOn) : left_(asks), then_(then) {}
  Ask ask() override { return left_-- > 0 ? Ask::GoOn : then_; }
  void report(const gen::Progress& progress) override { reports.push_back(progress); }

  std::vector<gen::Progress> reports;

 private:
  int left_;
  Ask then_;
};

gen::ResolvedRequest request_of(const test::Golden& golden, const fs::path& model) {
  const auto r = json::parse(golden.metadata("request"));
  const auto index = json::parse(std::ifstream(model / "model_index.json"));
  gen::ResolvedRequest request;
  request.prompt = r.at("prompt");
  request.negative_prompt = r.value("negative_prompt", "");
  request.width = r.at("width");
  request.height = r.at("height");
  request.num_frames = r.at("num_frames").get<int>() / 4 * 4 + 1;
  request.fps = 16;
  request.seeds = {r.at("seed").get<uint64_t>()};
  request.generator_device = "cpu";
  request.num_inference_steps = r.at("num_inference_steps");
  request.guidance_scale = r.at("guidance_scale");
  request.guidance_scale_2 = r.contains("guidance_scale_2") && r["guidance_scale_2"].is_number()
                                 ? r["guidance_scale_2"].get<double>()
                                 : request.guidance_scale;
  const auto scheduler = json::parse(std::ifstream(model / "scheduler/scheduler_config.json"));
  request.flow_shift = r.contains("flow_shift") && r["flow_shift"].is_number()
                           ? r["flow_shift"].get<double>()
                           : scheduler.value("flow_shift", scheduler.value("shift", 1.0));
  if (index.contains("boundary_ratio") && index["boundary_ratio"].is_number()) {
    request.boundary_ratio = index["boundary_ratio"].get<double>();
  }
  request.max_sequence_length = r.at("max_sequence_length");
  return request;
}

/// One run's tensors, by the golden's names.
class TinyRun {
 public:
  explicit TinyRun(const std::string& name) : golden(name), model(golden_model()) {
    request = request_of(golden, model);
    overrides = golden_scheduler();
  }

  void make() {
    const c10::InferenceMode inference;
    Options options;
    options.dit = dit;
    options.text_encoder = text_encoder;
    options.dump = folder.path() / "dump";
    WanPipeline pipeline(config::open_model_folder(model, overrides), options,
                         [](std::string_view, uint64_t, uint64_t) {});
    AskAfter control;
    dist::SoloGroup group;
    outcome = pipeline.generate(request, 0, nullptr, sink, control, group);
    reports = control.reports;
    made = std::make_unique<weights::SafetensorsFile>(options.dump / "tensors.safetensors");
  }

  /// Null if all is as Diffusers has it, else the first tensor that is not.
  std::string first_difference() const {
    for (const auto& [name, info] : golden.file.tensors()) {
      if (name.starts_with("bf16.")) continue;
      if (!made->tensors().contains(name)) return name + " is missing";
      const auto ours = made->tensor(name), theirs = golden[name];
      const bool ids = !theirs.is_floating_point();
      const bool same = ids                        ? at::equal(ours, theirs)
                        : name == "frames"         ? test::max_abs(ours, theirs) <= kFrameMax
                        : name.ends_with("embeds") ? test::relative_l2(ours, theirs) <= kPromptL2
                                                   : test::relative_l2(ours, theirs) <= kLatentL2;
      if (!same) return name;
    }
    return {};
  }

  /// A copy of `component` that may be written to, put in its place.
  fs::path own(const std::string& component) {
    const fs::path copy = folder.path() / component;
    fs::copy(model / component, copy, fs::copy_options::recursive);
    overrides[component] = copy;
    return copy;
  }

  /// Makes one of a component's tensors zero.
  void zero(const std::string& component, const std::string& stem, const std::string& name) {
    const fs::path path = own(component) / (stem + ".safetensors");
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    {
      const weights::SafetensorsFile file(path);
      ASSERT_TRUE(file.tensors().contains(name));
      for (const auto& [key, info] : file.tensors()) {
        tensors.emplace_back(key, file.tensor(key).clone());
        if (key == name) tensors.back().second.zero_();
      }
    }
    weights::write_safetensors(path, tensors);
  }

  test::TemporaryFolder folder;
  test::Golden golden;
  fs::path model;
  gen::ResolvedRequest request;
  std::map<std::string, fs::path> overrides;
  at::ScalarType dit = at::kFloat, text_encoder = at::kFloat;
  Frames sink;
  gen::Outcome outcome;
  std::vector<gen::Progress> reports;
  std::unique_ptr<weights::SafetensorsFile> made;

 private:
  fs::path golden_model() const { return test::golden_folder() / golden.metadata("model"); }

  /// The golden's own scheduler, where it is not the folder's.
  std::map<std::string, fs::path> golden_scheduler() {
    const auto wanted = json::parse(golden.metadata("scheduler"));
    const auto there = json::parse(std::ifstream(model / "scheduler/scheduler_config.json"));
    if (wanted.at("_class_name") == there.at("_class_name")) return {};
    fs::create_directories(folder.path() / "scheduler");
    std::ofstream(folder.path() / "scheduler/scheduler_config.json") << wanted.dump();
    request.flow_shift = wanted.value("shift", request.flow_shift);
    return {{"scheduler", folder.path() / "scheduler"}};
  }
};

class Pipeline : public testing::TestWithParam<const char*> {};

TEST_P(Pipeline, IsDiffusers) {
  TinyRun run(GetParam());
  run.make();
  EXPECT_EQ(run.first_difference(), "");
  EXPECT_EQ(run.outcome.kind, gen::Outcome::Kind::Done);
  EXPECT_EQ(run.sink.count, run.request.num_frames);
  EXPECT_EQ(run.sink.format.frames, run.request.num_frames);
}

INSTANTIATE_TEST_SUITE_P(Goldens, Pipeline,
                         testing::Values("t2v-tiny", "t2v-tiny.euler", "t2v-tiny.noguidance",
                                         "t2v-tiny.oneframe", "a14b-tiny", "ti2v-5b-tiny"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = std::isalnum(c) ? c : '_';
                           return name;
                         });

TEST(PipelineTwin, AShiftIsSeen) {
  TinyRun run("t2v-tiny.noguidance");
  run.request.flow_shift += 0.5;
  run.make();
  EXPECT_EQ(run.first_difference(), "frames");
}

TEST(PipelineTwin, ATokenIsSeen) {
  TinyRun run("t2v-tiny.noguidance");
  run.request.prompt[2] = 'b';
  run.make();
  EXPECT_NE(run.first_difference(), "");
}

TEST(PipelineTwin, ABoundaryOneStepOffIsSeen) {
  TinyRun run("a14b-tiny");
  run.request.boundary_ratio = 0.95;
  run.make();
  EXPECT_EQ(run.first_difference(), "frames");
}

TEST(PipelineExperts, ABoundaryIsAFractionOfTheSchedulersOwnTimesteps) {
  at::Tensor first[2];
  for (const double boundary : {0.0, 0.875}) {
    TinyRun run("a14b-tiny");
    const auto file = run.own("scheduler") / "scheduler_config.json";
    auto scheduler = json::parse(std::ifstream(file));
    scheduler["num_train_timesteps"] = 500;
    std::ofstream(file) << scheduler.dump();
    run.request.num_inference_steps = 1;
    run.request.boundary_ratio = boundary;
    run.make();
    first[boundary > 0] = run.made->tensor("latents.step.0");
  }
  EXPECT_TRUE(at::equal(first[0], first[1])) << "timestep 499 of 500 is the high-noise expert's";
}

TEST(PipelineTwin, TheSecondGuidanceIsSeen) {
  TinyRun run("a14b-tiny");
  run.request.guidance_scale_2 = run.request.guidance_scale;
  run.make();
  EXPECT_EQ(run.first_difference(), "frames");
}

TEST(PipelineTwin, AZeroedBiasIsSeen) {
  for (const auto& [component, stem, name] :
       {std::tuple("transformer", "diffusion_pytorch_model", "blocks.1.norm2.bias"),
        std::tuple("vae", "diffusion_pytorch_model", "decoder.conv_in.bias"),
        std::tuple("text_encoder", "model", "encoder.final_layer_norm.weight")}) {
    TinyRun run("t2v-tiny.oneframe");
    run.zero(component, stem, name);
    run.make();
    EXPECT_NE(run.first_difference(), "") << name;
  }
}

TEST(PipelineParts, AreRefusedWhereTheyDoNotFit) {
  for (const auto& [component, from, says] :
       {std::tuple("vae", "ti2v-5b-tiny", "transformer: in_channels: expected 48, the VAE's z_dim"),
        std::tuple("text_encoder", "a14b-tiny", "transformer: text_dim: expected 16")}) {
    TinyRun run("t2v-tiny.oneframe");
    run.overrides[component] = test::golden_folder() / "models" / from / component;
    EXPECT_THAT([&] { run.make(); }, testing::ThrowsMessage<Error>(testing::HasSubstr(says)));
  }
}

TEST(PipelinePrecision, Bf16IsNoFurtherFromFp32ThanDiffusersOwn) {
  TinyRun run("t2v-tiny");
  run.dit = run.text_encoder = at::kBFloat16;
  run.make();
  const auto fp32 = run.golden["latents.final"];
  const double theirs = test::relative_l2(run.golden["bf16.latents.final"], fp32);
  const double ours = test::relative_l2(run.made->tensor("latents.final"), fp32);
  EXPECT_LE(ours, 1.5 * theirs) << "Diffusers' own: " << theirs;
}

class Control : public testing::Test {
 protected:
  Control() {
    run.request.num_inference_steps = 4;
    Options options;
    options.dit = options.text_encoder = at::kFloat;
    pipeline = std::make_unique<WanPipeline>(config::open_model_folder(run.model), options,
                                             [](std::string_view, uint64_t, uint64_t) {});
  }

  const c10::InferenceMode inference;
  TinyRun run{"t2v-tiny.noguidance"};
  std::unique_ptr<WanPipeline> pipeline;
  dist::SoloGroup group;
};

/// All bytes of a video, in order.
class Bytes final : public gen::FrameSink {
 public:
  void begin(const gen::VideoFormat&) override {}
  void write(gen::Frames f) override { all.insert(all.end(), f.rgb.begin(), f.rgb.end()); }
  std::vector<uint8_t> all;
};

TEST_F(Control, CancelEndsAtTheNextStep) {
  AskAfter control(2, Ask::Cancel);
  const auto outcome = pipeline->generate(run.request, 0, nullptr, run.sink, control, group);
  EXPECT_EQ(outcome.kind, gen::Outcome::Kind::Cancelled);
  EXPECT_EQ(control.reports.back().step, 2);
  EXPECT_EQ(run.sink.count, 0);
}

TEST_F(Control, APausedVideoGoesOnToTheSameBytes) {
  Bytes whole, resumed;
  AskAfter never, pause(2, Ask::Pause);
  pipeline->generate(run.request, 0, nullptr, whole, never, group);
  const auto paused = pipeline->generate(run.request, 0, nullptr, resumed, pause, group);
  ASSERT_EQ(paused.kind, gen::Outcome::Kind::Paused);
  EXPECT_TRUE(resumed.all.empty());
  const auto done = pipeline->generate(run.request, 0, &paused.snapshot, resumed, never, group);
  EXPECT_EQ(done.kind, gen::Outcome::Kind::Done);
  EXPECT_EQ(resumed.all, whole.all);
}

TEST_F(Control, AnotherModelsSnapshotIsRefused) {
  AskAfter never;
  const gen::Snapshot foreign{"another", nullptr};
  EXPECT_THROW(pipeline->generate(run.request, 0, &foreign, run.sink, never, group), Error);
}

TEST_F(Control, ProgressIsReal) {
  AskAfter control;
  pipeline->generate(run.request, 0, nullptr, run.sink, control, group);
  std::vector<int> denoised, decoded;
  for (const auto& p : control.reports) {
    if (p.stage == gen::Stage::Denoising) denoised.push_back(p.step);
    if (p.stage == gen::Stage::Decoding) decoded.push_back(p.step);
  }
  EXPECT_EQ(denoised, (std::vector<int>{1, 2, 3, 4, 4}));
  EXPECT_EQ(decoded, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace reel::pipeline
