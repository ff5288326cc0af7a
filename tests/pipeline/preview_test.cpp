#include "tiny_run.h"

namespace reel::pipeline {
namespace {

TEST(Previews, ComeAfterTheStepsAskedFor) {
  const c10::InferenceMode inference;
  TinyRun run("t2v-tiny.noguidance");
  run.request.num_inference_steps = 5;
  run.request.preview_steps = 2;
  run.make();
  const auto& latents = run.made->tensor("latents.final");
  ASSERT_EQ(run.previews.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const auto& [step, image] = run.previews[i];
    EXPECT_EQ(step, 2 + 2 * int(i));
    EXPECT_EQ(image.height, latents.size(3));
    EXPECT_EQ(image.width, latents.size(4));
    EXPECT_EQ(image.rgb.size(), size_t(image.width) * size_t(image.height) * 3);
  }
}

TEST(Previews, LeaveTheVideoAsItIs) {
  const c10::InferenceMode inference;
  TinyRun plain("t2v-tiny.noguidance"), watched("t2v-tiny.noguidance");
  watched.request.preview_steps = 1;
  plain.make();
  watched.make();
  EXPECT_TRUE(
      at::equal(plain.made->tensor("latents.final"), watched.made->tensor("latents.final")));
}

/// Of the demo model's video of `seed`: [3, h, w], its middle frame's mean colours under each
/// latent, and what the last preview made of them.
std::pair<at::Tensor, at::Tensor> seen_and_foreseen(uint64_t seed) {
  const c10::InferenceMode inference;
  Options options;
  options.device = test::device();
  WanPipeline pipeline(config::open_model_folder(test::source_folder() / "configs/demo"), options,
                       [](std::string_view, uint64_t, uint64_t) {});
  gen::ResolvedRequest request;
  request.prompt = "a large yellow circle on a blue ground";
  request.width = request.height = 96;
  request.num_frames = 9;
  request.fps = 16;
  request.seeds = {seed};
  request.generator_device = "cpu";
  request.num_inference_steps = 8;
  request.guidance_scale = 4;
  request.flow_shift = 3;
  request.max_sequence_length = 512;
  request.preview_steps = 7;
  class Middle final : public gen::FrameSink {
   public:
    void begin(const gen::VideoFormat&) override {}
    void write(gen::Frames frames) override {
      if (++chunks == 2) middle = std::move(frames);  // of three
    }
    int chunks = 0;
    gen::Frames middle;
  } sink;
  AskAfter control;
  dist::SoloGroup group;
  pipeline.generate(request, 0, nullptr, sink, control, group);
  const auto planes = [](const uint8_t* bytes, int64_t frames, int64_t h, int64_t w) {
    return at::from_blob(const_cast<uint8_t*>(bytes), {frames, h, w, 3}, at::kByte)
        .to(at::kFloat)
        .mean(0)
        .permute({2, 0, 1})
        .contiguous();
  };
  const gen::Image& preview = control.previews.at(0).second;
  const auto seen = planes(sink.middle.rgb.data(), sink.middle.count, 96, 96);
  return {at::adaptive_avg_pool2d(seen, {preview.height, preview.width}),
          planes(preview.rgb.data(), 1, preview.height, preview.width)};
}

double correlation(const at::Tensor& a, const at::Tensor& b) {
  return at::corrcoef(at::stack({a.flatten(), b.flatten()}))[0][1].item<double>();
}

TEST(Previews, LookLikeTheVideo) {
  const auto [seen, foreseen] = seen_and_foreseen(1);
  EXPECT_GE(correlation(seen, foreseen), 0.7);
  EXPECT_LT(correlation(seen, foreseen.flip({2})), 0.7) << "the twin: seen in a mirror";
}

}  // namespace
}  // namespace reel::pipeline
