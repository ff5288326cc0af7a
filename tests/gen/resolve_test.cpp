#include "reel/gen/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "reel/base/error.h"

namespace reel::gen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Description one_expert() {
  Description model;
  model.model = "tiny";
  model.task = "T2V";
  model.size = {832, 480};
  model.num_frames = 81;
  model.fps = 16;
  model.num_inference_steps = 50;
  model.guidance_scale = 5;
  model.flow_shift = 3;
  model.max_sequence_length = 512;
  model.negative_prompt = "blurry";
  return model;
}

Description two_experts() {
  Description model = one_expert();
  model.guidance_scale = 4;
  model.guidance_scale_2 = 3;
  model.boundary_ratio = 0.875;
  return model;
}

VideoRequest prompted() {
  VideoRequest request;
  request.prompt = "a cat";
  return request;
}

TEST(Resolve, TakesTheModelsDefaults) {
  const ResolvedRequest resolved = resolve(prompted(), one_expert());
  EXPECT_EQ(resolved.prompt, "a cat");
  EXPECT_EQ(resolved.negative_prompt, "blurry");
  EXPECT_EQ(resolved.width, 832);
  EXPECT_EQ(resolved.height, 480);
  EXPECT_EQ(resolved.num_frames, 81);
  EXPECT_EQ(resolved.fps, 16);
  EXPECT_EQ(resolved.seeds.size(), 1u);
  EXPECT_EQ(resolved.generator_device, "cpu");
  EXPECT_EQ(resolved.num_inference_steps, 50);
  EXPECT_EQ(resolved.guidance_scale, 5);
  EXPECT_EQ(resolved.guidance_scale_2, 5);
  EXPECT_EQ(resolved.flow_shift, 3);
  EXPECT_EQ(resolved.boundary_ratio, std::nullopt);
  EXPECT_EQ(resolved.max_sequence_length, 512);
}

TEST(Resolve, TheSecondExpertsGuidanceIsTheFirstsUnlessTheModelHasItsOwn) {
  VideoRequest request = prompted();
  request.guidance_scale = 6;
  EXPECT_EQ(resolve(request, two_experts()).guidance_scale_2, 3);
  Description model = two_experts();
  model.guidance_scale_2.reset();
  EXPECT_EQ(resolve(request, model).guidance_scale_2, 6);
}

TEST(Resolve, PutsTheRequestOverTheDefaults) {
  VideoRequest request = prompted();
  request.negative_prompt = "";
  request.width = 480;
  request.num_frames = 5;
  request.fps = 24;
  request.generator_device = "cuda";
  request.num_inference_steps = 4;
  request.guidance_scale = 1.5;
  request.guidance_scale_2 = 2.5;
  request.flow_shift = 8;
  request.boundary_ratio = 0.9;
  request.max_sequence_length = 226;
  const ResolvedRequest resolved = resolve(request, two_experts());
  EXPECT_EQ(resolved.negative_prompt, "");
  EXPECT_EQ(resolved.width, 480);
  EXPECT_EQ(resolved.height, 480);
  EXPECT_EQ(resolved.num_frames, 5);
  EXPECT_EQ(resolved.fps, 24);
  EXPECT_EQ(resolved.generator_device, "cuda");
  EXPECT_EQ(resolved.num_inference_steps, 4);
  EXPECT_EQ(resolved.guidance_scale, 1.5);
  EXPECT_EQ(resolved.guidance_scale_2, 2.5);
  EXPECT_EQ(resolved.flow_shift, 8);
  EXPECT_EQ(resolved.boundary_ratio, 0.9);
  EXPECT_EQ(resolved.max_sequence_length, 226);
}

TEST(Resolve, GivesEachExpertItsGuidance) {
  const ResolvedRequest resolved = resolve(prompted(), two_experts());
  EXPECT_EQ(resolved.guidance_scale, 4);
  EXPECT_EQ(resolved.guidance_scale_2, 3);
  EXPECT_EQ(resolved.boundary_ratio, 0.875);
}

TEST(Resolve, RoundsFramesAsDiffusers) {
  // n // 4 * 4 + 1 for every n that is not 4k + 1 already.
  for (const auto& [asked, made] :
       {std::pair{1, 1}, {2, 1}, {3, 1}, {4, 5}, {5, 5}, {80, 81}, {81, 81}, {96, 97}}) {
    VideoRequest request = prompted();
    request.num_frames = asked;
    EXPECT_EQ(resolve(request, one_expert()).num_frames, made) << asked;
  }
}

TEST(Resolve, RoundsFramesToTheVaesMultiple) {
  Description model = one_expert();
  model.frame_multiple = 8;
  EXPECT_EQ(resolve(prompted(), model).num_frames, 81);
  VideoRequest request = prompted();
  for (const auto& [asked, made] : {std::pair{7, 1}, {8, 9}, {13, 9}, {17, 17}}) {
    request.num_frames = asked;
    EXPECT_EQ(resolve(request, model).num_frames, made) << asked;
  }
  request.num_frames = {};
  request.seconds = 1.25;
  EXPECT_EQ(resolve(request, model).num_frames, 17);
}

TEST(Resolve, MakesFramesOfSeconds) {
  VideoRequest request = prompted();
  request.seconds = 4;
  EXPECT_EQ(resolve(request, one_expert()).num_frames, 65);
  request.fps = 24;
  EXPECT_EQ(resolve(request, one_expert()).num_frames, 97);
  request.seconds = 0.01;
  EXPECT_EQ(resolve(request, one_expert()).num_frames, 1);
  request.num_frames = 9;
  EXPECT_EQ(resolve(request, one_expert()).num_frames, 9) << "num_frames wins";
}

TEST(Resolve, CountsSeedsUp) {
  VideoRequest request = prompted();
  request.num_outputs = 3;
  request.seeds = {41};
  EXPECT_THAT(resolve(request, one_expert()).seeds, ElementsAre(41, 42, 43));
  request.seeds = {18446744073709551613u};
  EXPECT_EQ(resolve(request, one_expert()).seeds.back(), 18446744073709551615u) << "the last";
  request.seeds = {7, 5, 7};
  EXPECT_THAT(resolve(request, one_expert()).seeds, ElementsAre(7, 5, 7));
  request.seeds = {};
  const auto first = resolve(request, one_expert()).seeds;
  EXPECT_EQ(first[1], first[0] + 1);
  EXPECT_NE(resolve(request, one_expert()).seeds, first) << "random";
}

struct Fault {
  const char* param;
  std::function<void(VideoRequest&)> ask;
  const char* message;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.param; }

class ResolveFault : public testing::TestWithParam<Fault> {};

TEST_P(ResolveFault, NamesTheFieldAndWhatWasFound) {
  VideoRequest request = prompted();
  GetParam().ask(request);
  try {
    resolve(request, one_expert());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(error.param(), GetParam().param);
    EXPECT_THAT(error.what(), HasSubstr(GetParam().message));
  }
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// clang-format off
INSTANTIATE_TEST_SUITE_P(Table, ResolveFault, testing::Values(
    Fault{"prompt", [](auto& r) { r.prompt = ""; }, "got none"},
    Fault{"prompt", [](auto& r) { r.prompt = " \n\t "; }, "got spaces only"},
    Fault{"prompt", [](auto& r) { r.prompt = "cat\xff"; }, "expected UTF-8"},
    Fault{"prompt", [](auto& r) { r.prompt = "\xc0\xaf"; }, "expected UTF-8"},
    Fault{"negative_prompt", [](auto& r) { r.negative_prompt = "\xed\xa0\x80"; }, "expected UTF-8"},
    Fault{"size", [](auto& r) { r.width = 833; r.height = 480; },
          "expected multiples of 16, got 833x480; nearest: 832x480 and 848x480"},
    Fault{"size", [](auto& r) { r.width = 50; r.height = 40; }, "nearest: 48x32 and 48x48"},
    Fault{"size", [](auto& r) { r.width = 1; r.height = 1; }, "got 1x1; nearest: 16x16"},
    Fault{"width", [](auto& r) { r.width = 830; }, "got 830; nearest: 832x480 and 816x480"},
    Fault{"height", [](auto& r) { r.height = 0; }, "expected positive pixels, got 0"},
    Fault{"size", [](auto& r) { r.width = 16; r.height = 2'000'000'000; }, "nearest: 16x16384"},
    Fault{"size", [](auto& r) { r.width = 99'999; r.height = 64; }, "16384x64 and 16384x16"},
    Fault{"width", [](auto& r) { r.width = 2'147'483'647; }, "nearest"},
    Fault{"num_frames", [](auto& r) { r.num_frames = 0; }, "got 0"},
    Fault{"num_frames", [](auto& r) { r.num_frames = 100'004; }, "1 to 100001, got 100004"},
    Fault{"num_frames", [](auto& r) { r.num_frames = -4; }, "got -4"},
    Fault{"num_frames", [](auto& r) { r.num_frames = 2'147'483'647; }, "got 2147483647"},
    Fault{"seconds", [](auto& r) { r.seconds = 0; }, "got 0"},
    Fault{"seconds", [](auto& r) { r.seconds = -1; }, "got -1"},
    Fault{"seconds", [](auto& r) { r.seconds = kNan; }, "got nan"},
    Fault{"seconds", [](auto& r) { r.seconds = 1e30; }, "at 16 fps"},
    Fault{"fps", [](auto& r) { r.fps = 0; }, "expected 1 to 240, got 0"},
    Fault{"fps", [](auto& r) { r.fps = 241; }, "got 241"},
    Fault{"num_outputs_per_prompt", [](auto& r) { r.num_outputs = 0; }, "1 to 10, got 0"},
    Fault{"num_outputs_per_prompt", [](auto& r) { r.num_outputs = 11; }, "got 11"},
    Fault{"seed", [](auto& r) { r.num_outputs = 3; r.seeds = {1, 2}; }, "1 or 3 seeds, got 2"},
    Fault{"seed", [](auto& r) { r.seeds = {1, 2}; }, "expected one seed, got 2"},
    Fault{"seed", [](auto& r) { r.num_outputs = 2; r.seeds = {18446744073709551615u}; },
          "at most 18446744073709551614 for 2 outputs"},
    Fault{"generator_device", [](auto& r) { r.generator_device = "tpu\xff"; }, "cpu or cuda"},
    Fault{"num_inference_steps", [](auto& r) { r.num_inference_steps = 0; }, "1 to 1000, got 0"},
    Fault{"guidance_scale", [](auto& r) { r.guidance_scale = -1; }, "got -1"},
    Fault{"guidance_scale", [](auto& r) { r.guidance_scale = kInfinity; }, "got inf"},
    Fault{"guidance_scale_2", [](auto& r) { r.guidance_scale_2 = 3; }, "one expert"},
    Fault{"boundary_ratio", [](auto& r) { r.boundary_ratio = 0.9; }, "one expert"},
    Fault{"flow_shift", [](auto& r) { r.flow_shift = 0; }, "got 0"},
    Fault{"flow_shift", [](auto& r) { r.flow_shift = 1e-300; }, "0.001 to 1000, got 1e-300"},
    Fault{"flow_shift", [](auto& r) { r.flow_shift = kNan; }, "got nan"},
    Fault{"max_sequence_length", [](auto& r) { r.max_sequence_length = 513; }, "1 to 512, got 513"},
    Fault{"reference_url", [](auto& r) { r.inputs.image = {"reference_url", "x"}; },
          "not supported: the task of tiny is T2V"},
    Fault{"video_url", [](auto& r) { r.inputs.video = {"video_url", "x"}; }, "not supported"},
    Fault{"reference_images", [](auto& r) { r.inputs.reference_images = {{"reference_images", "x"}}; },
          "not supported"},
    Fault{"conditioning_scale", [](auto& r) { r.conditioning_scale = {1}; }, "not supported"},
    Fault{"strength", [](auto& r) { r.strength = 0.5; }, "not supported"}));
// clang-format on

std::string param_of(const VideoRequest& request, const Description& model) {
  try {
    resolve(request, model);
  } catch (const Error& error) {
    return error.param();
  }
  return "none";
}

Description with_inputs() {
  Description model = one_expert();
  model.task = "VACE";
  model.takes = {
      Take::Required, Take::Optional, Take::Optional, Take::Optional, Take::Optional, 3, 0.8};
  return model;
}

template <class AnyInput>
AnyInput loaded(const std::string& field, int width, int height, int frames) {
  using Content = std::remove_const_t<typename decltype(AnyInput::content)::element_type>;
  AnyInput input{field};
  input.sha256 = field;
  input.width = width;
  input.height = height;
  input.frames = frames;
  input.content = std::make_shared<Content>();
  return input;
}

VideoRequest pictured() {
  VideoRequest request = prompted();
  request.inputs.image = loaded<ImageInput>("input_reference", 1000, 2000, 1);
  return request;
}

TEST(Resolve, TakesTheShapeOfAPicture) {
  auto request = pictured();
  ResolvedRequest resolved = resolve(request, with_inputs());
  EXPECT_EQ(text_of({resolved.width, resolved.height}), "432x880");
  EXPECT_EQ(resolved.inputs, request.inputs);
  EXPECT_THAT(resolved.conditioning_scale, ElementsAre(1, 1, 1));
  EXPECT_FALSE(resolved.strength);
  request.width = 64;
  request.height = 48;
  resolved = resolve(request, with_inputs());
  EXPECT_EQ(text_of({resolved.width, resolved.height}), "64x48");
  request = pictured();
  request.inputs.image->height = 1;
  EXPECT_EQ(resolve(request, with_inputs()).height, 16);
}

TEST(Resolve, MakesAsManyFramesAsAVideoHas) {
  auto request = pictured();
  request.inputs.video = loaded<VideoInput>("video_url", 9, 9, 20);
  ResolvedRequest resolved = resolve(request, with_inputs());
  EXPECT_EQ(resolved.num_frames, 17);
  EXPECT_EQ(resolved.strength, 0.8);
  request.num_frames = 21;
  EXPECT_EQ(param_of(request, with_inputs()), "video_url");
}

TEST(Resolve, TakesTheSizeOfAVideoUpToTheModels) {
  auto model = one_expert();
  model.takes.video = Take::Optional;
  model.takes.strength = 0.8;
  auto request = prompted();
  const auto size_with = [&](int width, int height) {
    request.inputs.video = loaded<VideoInput>("video", width, height, 81);
    const auto resolved = resolve(request, model);
    return text_of({resolved.width, resolved.height});
  };
  EXPECT_EQ(size_with(1920, 1080), "832x464");
  EXPECT_EQ(size_with(330, 250), "320x240");
  EXPECT_EQ(size_with(9, 9), "16x16");
}

TEST(Resolve, NeedsAStepThatChangesAVideo) {
  auto model = one_expert();
  model.takes.video = Take::Optional;
  model.takes.strength = 0.8;
  auto request = prompted();
  request.inputs.video = loaded<VideoInput>("video", 64, 64, 81);
  request.num_inference_steps = 4;
  request.strength = 0.25;
  EXPECT_EQ(resolve(request, model).strength, 0.25);
  request.strength = 0.2;
  EXPECT_EQ(param_of(request, model), "strength");
  request.strength = 1;
  request.inputs.video.reset();
  EXPECT_EQ(param_of(request, model), "strength");
}

TEST(Resolve, JudgesInputs) {
  const auto model = with_inputs();
  EXPECT_EQ(param_of(prompted(), model), "input_reference");
  auto request = pictured();
  request.inputs.mask = loaded<VideoInput>("mask", 9, 9, 17);
  EXPECT_EQ(param_of(request, model), "mask");
  request.inputs.video = loaded<VideoInput>("video", 9, 9, 18);
  EXPECT_EQ(param_of(request, model), "mask");
  request.inputs.mask->frames = 18;
  EXPECT_EQ(param_of(request, model), "none");
  request.conditioning_scale = {1, 2};
  EXPECT_EQ(param_of(request, model), "conditioning_scale");
  request.conditioning_scale = {1, 2, 0};
  EXPECT_EQ(param_of(request, model), "none");
  request.strength = 0;
  EXPECT_EQ(param_of(request, model), "strength");
  request.strength = 1;
  request.inputs.reference_images.assign(17, loaded<ImageInput>("reference_images", 9, 9, 1));
  EXPECT_EQ(param_of(request, model), "reference_images");
}

TEST(Resolve, JudgesTheSecondExpert) {
  VideoRequest request = prompted();
  request.guidance_scale_2 = kNan;
  EXPECT_EQ(param_of(request, two_experts()), "guidance_scale_2");
  request.guidance_scale_2 = 3;
  request.boundary_ratio = 1.01;
  EXPECT_EQ(param_of(request, two_experts()), "boundary_ratio");
  request.boundary_ratio = kNan;
  EXPECT_EQ(param_of(request, two_experts()), "boundary_ratio");
}

TEST(Resolve, KeepsTheModelsLimits) {
  Description model = one_expert();
  model.max_frames = 81;
  model.max_side = 832;
  VideoRequest request = prompted();
  request.num_frames = 83;
  EXPECT_EQ(resolve(request, model).num_frames, 81);
  request.num_frames = 84;  // becomes 85
  EXPECT_EQ(param_of(request, model), "num_frames");
  request.num_frames.reset();
  request.seconds = 5.25;
  EXPECT_EQ(param_of(request, model), "seconds");
  request.seconds = 5;
  request.width = 480;
  request.height = 832;
  EXPECT_EQ(param_of(request, model), "none");
  request.width = 1280;
  request.height = 720;
  try {
    resolve(request, model);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.param(), "size");
    // The second is the nearest of that shape, rounded down: 720 * 832 / 1280 = 468.
    EXPECT_THAT(error.what(),
                HasSubstr("at most 832 pixels a side, got 1280x720; nearest: 832x720 and 832x464"));
  }
}

TEST(Resolve, RefusesAPromptOverAMebibyte) {
  VideoRequest request = prompted();
  request.prompt.assign(size_t{1} << 20, 'x');
  EXPECT_EQ(param_of(request, one_expert()), "none");
  request.prompt += 'x';
  try {
    resolve(request, one_expert());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::TooLarge);
    EXPECT_EQ(error.param(), "prompt");
  }
}

TEST(Remixed, KeepsWhatIsNotSaid) {
  VideoRequest asked = prompted();
  asked.num_outputs = 2;
  asked.seeds = {3, 9};
  asked.width = 64;
  asked.height = 48;
  asked.num_frames = 5;
  asked.fps = 8;
  asked.negative_prompt = "";
  asked.generator_device = "cuda";
  asked.num_inference_steps = 7;
  asked.guidance_scale = 2;
  asked.guidance_scale_2 = 1;
  asked.boundary_ratio = 0.5;
  asked.flow_shift = 9;
  asked.max_sequence_length = 100;
  const ResolvedRequest source = resolve(asked, two_experts());
  VideoRequest again = prompted();
  again.num_outputs = 2;
  EXPECT_EQ(resolve(remixed(again, source), two_experts()), source);
}

TEST(Remixed, KeepsInputs) {
  auto first = pictured();
  first.inputs.video = loaded<VideoInput>("video", 9, 9, 5);
  first.conditioning_scale = {0.5};
  const auto source = resolve(first, with_inputs());
  const auto again = remixed(prompted(), source);
  EXPECT_EQ(again.inputs, source.inputs);
  EXPECT_THAT(again.conditioning_scale, ElementsAre(0.5, 0.5, 0.5));
  EXPECT_EQ(again.strength, 0.8);
}

TEST(Remixed, OfOneExpertAsksForNoSecond) {
  const ResolvedRequest source = resolve(prompted(), one_expert());
  EXPECT_EQ(resolve(remixed(prompted(), source), one_expert()), source);
}

}  // namespace
}  // namespace reel::gen
