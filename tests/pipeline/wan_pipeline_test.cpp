#include "reel/pipeline/wan_pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"
#include "tiny_run.h"

// Whole tiny pipelines against Diffusers' own runs, and what each must notice.
namespace reel::pipeline {
namespace {

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
                                         "t2v-tiny.oneframe", "t2v-tiny.order3", "t2v-tiny.video",
                                         "vace-tiny", "vace-tiny.reference", "vace-tiny.eight",
                                         "t2v-tiny.dmd", "ti2v-5b-tiny.dmd", "i2v-a14b-tiny.dmd",
                                         "ti2v-5b-tiny.image.dmd", "a14b-tiny.few-euler",
                                         "a14b-tiny", "ti2v-5b-tiny", "i2v-tiny", "i2v-tiny.short",
                                         "flf2v-tiny", "i2v-a14b-tiny", "i2v-a14b-tiny.last",
                                         "ti2v-5b-tiny.image"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = std::isalnum(c) ? c : '_';
                           return name;
                         });

TEST(PipelineNative, OneFileOfWanVideosNamesIsTheSameModel) {
  for (const auto& [golden, prefix] : {std::pair("t2v-tiny.oneframe", ""),
                                       {"a14b-tiny", "model.diffusion_model."},
                                       {"i2v-tiny.short", ""},
                                       {"flf2v-tiny", ""},
                                       {"vace-tiny", "diffusion_model."}}) {
    TinyRun run(golden);
    for (const char* component : {"transformer", "transformer_2"}) {
      if (fs::exists(run.model / component)) run.make_native(component, prefix);
    }
    run.make();
    EXPECT_EQ(run.first_difference(), "") << golden;
  }
}

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

TEST(PipelineTwin, ATurnedPictureIsSeen) {
  for (const char* name : {"i2v-tiny", "flf2v-tiny", "i2v-a14b-tiny", "ti2v-5b-tiny.image"}) {
    TinyRun run(name);
    auto turned = std::make_shared<gen::Image>(*run.request.inputs.image->content);
    std::reverse(turned->rgb.begin(), turned->rgb.end());
    run.request.inputs.image->content = turned;
    run.make();
    EXPECT_EQ(run.first_difference(), "condition") << name;
  }
}

TEST(PipelineTwin, TheOrderOfTwoPicturesIsSeen) {
  for (const char* name : {"flf2v-tiny", "i2v-a14b-tiny.last"}) {
    TinyRun run(name);
    std::swap(run.request.inputs.image, run.request.inputs.last_image);
    run.make();
    EXPECT_EQ(run.first_difference(), "condition") << name;
  }
}

/// A copy of what `input` holds, to be changed.
gen::Frames& own(gen::VideoInput& input) {
  auto copy = std::make_shared<gen::Frames>(*input.content);
  input.content = copy;
  return *copy;
}

TEST(PipelineTwin, AMaskOneLevelOffIsSeen) {
  TinyRun run("vace-tiny");
  for (uint8_t& level : own(*run.request.inputs.mask).rgb)
    level = static_cast<uint8_t>(std::min(level + 1, 255));
  run.make();
  EXPECT_EQ(run.first_difference(), "condition");
}

void make_frames(gen::VideoInput& input, int count) {
  gen::Frames& frames = own(input);
  frames.rgb.resize(static_cast<size_t>(count) * frames.frame_bytes(), 200);
  frames.count = count;
}

TEST(PipelineTwin, AMaskWithoutItsLastFramesIsSeen) {
  TinyRun run("vace-tiny.eight");
  make_frames(*run.request.inputs.mask, 5);
  run.make();
  EXPECT_EQ(run.first_difference(), "condition");
}

TEST(PipelineVace, FramesOfALongerVideoAndMaskDoNotCount) {
  TinyRun run("vace-tiny");  // of nine
  make_frames(*run.request.inputs.video, 13);
  make_frames(*run.request.inputs.mask, 13);
  run.make();
  EXPECT_EQ(run.first_difference(), "");
}

TEST(PipelineTwin, ATurnedVideoIsSeen) {
  for (const auto& [name, first] :
       {std::pair("vace-tiny", "condition"), {"t2v-tiny.video", "frames"}}) {
    TinyRun run(name);
    auto& rgb = own(*run.request.inputs.video).rgb;
    std::reverse(rgb.begin(), rgb.end());
    run.make();
    EXPECT_EQ(run.first_difference(), first) << name;
  }
}

TEST(PipelineTwin, TheOrderOfReferencePicturesIsSeen) {
  TinyRun run("vace-tiny");
  auto& references = run.request.inputs.reference_images;
  std::swap(references.at(0), references.at(1));
  run.make();
  EXPECT_EQ(run.first_difference(), "condition");
}

TEST(PipelineTwin, TheConditioningScaleIsSeen) {
  TinyRun run("vace-tiny.reference");
  run.request.conditioning_scale[1] = 1;
  run.make();
  EXPECT_EQ(run.first_difference(), "frames");
}

TEST(PipelineTwin, AStepOfStrengthIsSeen) {
  TinyRun run("t2v-tiny.video");
  *run.request.strength += 0.2;
  run.make();
  EXPECT_NE(run.first_difference(), "");
}

TEST(PipelineTwin, ATimestepOfDmdIsSeen) {
  for (const char* name : {"t2v-tiny.dmd", "i2v-a14b-tiny.dmd", "ti2v-5b-tiny.image.dmd"}) {
    TinyRun run(name);
    run.request.dmd_denoising_steps[1] += 10;
    run.make();
    EXPECT_EQ(run.first_difference(), "frames") << name;
  }
}

TEST(PipelineTwin, TheExpertOfAStepOfDmdIsSeen) {
  TinyRun run("i2v-a14b-tiny.dmd");
  run.request.boundary_ratio = 0.94;
  run.make();
  EXPECT_EQ(run.first_difference(), "frames");
}

TEST(PipelineTwin, ASecondShiftIsSeen) {
  TinyRun run("a14b-tiny.few-euler");
  run.request.denoising_step_list.clear();  // as many steps, of the folder's own levels
  run.make();
  EXPECT_EQ(run.first_difference(), "frames");
}

TEST(PipelineTwin, TheOrderOfTheSolverIsSeen) {
  TinyRun run("t2v-tiny.order3");
  run.overrides.clear();
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
  const auto fp32 = run.golden.host("latents.final");
  const double theirs = test::relative_l2(run.golden.host("bf16.latents.final"), fp32);
  const double ours = test::relative_l2(run.made->tensor("latents.final"), fp32);
  EXPECT_LE(ours, 1.5 * theirs) << "Diffusers' own: " << theirs;
}

TEST(PipelineParts, AVaeThatMakesNoNumbersMakesNoVideo) {
  TinyRun run("t2v-tiny.oneframe");
  const auto file = run.own("vae") / "config.json";
  auto config = json::parse(std::ifstream(file));
  for (json& mean : config["latents_mean"]) mean = 1e39;
  std::ofstream(file) << config.dump();
  EXPECT_THAT([&] { run.make(); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("decoding ended in numbers")));
}

TEST(PipelineParts, OfFunControlAreRefusedByItsName) {
  TinyRun run("i2v-tiny");
  const auto file = run.own("transformer") / "config.json";
  auto config = json::parse(std::ifstream(file));
  config["in_channels"] = 3 * config["out_channels"].get<int>();
  std::ofstream(file) << config.dump();
  EXPECT_THAT([&] { run.make(); },
              testing::ThrowsMessage<Error>(testing::HasSubstr(
                  "transformer: in_channels: 48 is of Wan Fun-Control (a control video), which")));
}

TEST(PipelineInputs, AreEncodedOnceAndTheirTimeIsTold) {
  const c10::InferenceMode inference;
  TinyRun run("i2v-tiny");
  run.request.inputs.image->sha256 = "1";
  Options options;
  options.device = test::device();
  WanPipeline pipeline(config::open_model_folder(run.model), options,
                       [](std::string_view, uint64_t, uint64_t) {});
  AskAfter control;
  dist::SoloGroup group;
  const auto first = pipeline.generate(run.request, 0, nullptr, run.sink, control, group);
  EXPECT_GT(first.image_seconds, 0);
  EXPECT_GT(first.encode_seconds, 0);
  const auto again = pipeline.generate(run.request, 0, nullptr, run.sink, control, group);
  EXPECT_EQ(again.image_seconds, 0);
  EXPECT_EQ(again.encode_seconds, 0);
}

class Control : public testing::Test {
 protected:
  Control() {
    run.request.num_inference_steps = 4;
    Options options;
    options.device = test::device();
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
  EXPECT_EQ(control.reports.back().step, test::device().is_cuda() ? 1 : 2);
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

TEST_F(Control, APausedVideoOfDmdGetsTheSameNoise) {
  run.request.dmd_denoising_steps = {1000, 757, 522};
  run.request.num_inference_steps = 3;
  Bytes whole, resumed;
  AskAfter never, pause(1, Ask::Pause);
  pipeline->generate(run.request, 0, nullptr, whole, never, group);
  const auto paused = pipeline->generate(run.request, 0, nullptr, resumed, pause, group);
  pipeline->generate(run.request, 0, &paused.snapshot, resumed, never, group);
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
  // A GPU's step is done when the next one is on its way.
  const bool gpu = test::device().is_cuda();
  EXPECT_EQ(denoised, gpu ? (std::vector{0, 0, 1, 2, 3, 4}) : (std::vector{0, 1, 2, 3, 4, 4}));
  EXPECT_EQ(decoded, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace reel::pipeline
