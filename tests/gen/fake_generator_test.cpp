#include "reel/gen/fake_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace reel::gen {
namespace {

using testing::HasSubstr;

struct CollectingSink final : FrameSink {
  void begin(const VideoFormat& given) override { format = given; }
  void write(Frames frames) override {
    count += frames.count;
    rgb.insert(rgb.end(), frames.rgb.begin(), frames.rgb.end());
  }

  VideoFormat format;
  int count = 0;
  std::vector<uint8_t> rgb;
};

struct ScriptedControl final : Control {
  Ask ask() override {
    ++asked;
    return answer ? answer(asked) : Ask::GoOn;
  }
  void report(const Progress& progress) override { reports.push_back(progress); }

  std::function<Ask(int)> answer;
  int asked = 0;
  std::vector<Progress> reports;
};

ResolvedRequest request_of(const FakeGenerator& generator, uint64_t seed) {
  VideoRequest request;
  request.prompt = "a square";
  request.seeds = {seed};
  return generator.check(request);
}

std::vector<uint8_t> video_of(uint64_t seed) {
  FakeGenerator generator;
  CollectingSink sink;
  ScriptedControl control;
  generator.generate(request_of(generator, seed), 0, nullptr, sink, control);
  return sink.rgb;
}

TEST(FakeGenerator, DrawsMovingFramesFromTheSeed) {
  FakeGenerator generator;
  CollectingSink sink;
  ScriptedControl control;
  const Outcome outcome = generator.generate(request_of(generator, 5), 0, nullptr, sink, control);
  EXPECT_EQ(outcome.kind, Outcome::Kind::Done);
  EXPECT_EQ(sink.format.width, 64);
  EXPECT_EQ(sink.format.height, 48);
  EXPECT_EQ(sink.format.fps, 16);
  EXPECT_EQ(sink.format.frames, 17);
  EXPECT_EQ(sink.count, 17);
  const auto frame = static_cast<std::ptrdiff_t>(64 * 48 * 3);
  ASSERT_EQ(sink.rgb.size(), static_cast<size_t>(17 * frame));
  for (std::ptrdiff_t at = frame; at < 17 * frame; at += frame) {
    EXPECT_FALSE(std::equal(sink.rgb.begin() + at, sink.rgb.begin() + at + frame,
                            sink.rgb.begin() + at - frame))
        << "frame " << at / frame << " stands still";
  }
  EXPECT_EQ(video_of(5), sink.rgb);
  EXPECT_NE(video_of(6), sink.rgb);
}

TEST(FakeGenerator, ReportsEveryStepInOrder) {
  FakeGenerator generator;
  CollectingSink sink;
  ScriptedControl control;
  generator.generate(request_of(generator, 1), 0, nullptr, sink, control);
  std::vector<std::pair<Stage, int>> seen;
  for (const Progress& report : control.reports) seen.emplace_back(report.stage, report.step);
  std::vector<std::pair<Stage, int>> expected{{Stage::TextEncoding, 0}};
  for (int step = 0; step <= 4; ++step) expected.emplace_back(Stage::Denoising, step);
  for (int latent = 0; latent <= 5; ++latent) expected.emplace_back(Stage::Decoding, latent);
  EXPECT_EQ(seen, expected);
}

TEST(FakeGenerator, CancelsAtTheNextStep) {
  FakeGenerator generator;
  CollectingSink sink;
  ScriptedControl control;
  control.answer = [](int asked) { return asked == 3 ? Control::Ask::Cancel : Control::Ask::GoOn; };
  const Outcome outcome = generator.generate(request_of(generator, 1), 0, nullptr, sink, control);
  EXPECT_EQ(outcome.kind, Outcome::Kind::Cancelled);
  EXPECT_EQ(control.asked, 3);
  EXPECT_EQ(sink.count, 0);
}

TEST(FakeGenerator, PausesAndGoesOnWithoutRepeatingAStep) {
  FakeGenerator generator;
  CollectingSink sink;
  ScriptedControl control;
  control.answer = [](int asked) { return asked == 3 ? Control::Ask::Pause : Control::Ask::GoOn; };
  const ResolvedRequest request = request_of(generator, 5);
  Outcome outcome = generator.generate(request, 0, nullptr, sink, control);
  ASSERT_EQ(outcome.kind, Outcome::Kind::Paused);
  control.reports.clear();
  const Snapshot snapshot = outcome.snapshot;
  outcome = generator.generate(request, 0, &snapshot, sink, control);
  EXPECT_EQ(outcome.kind, Outcome::Kind::Done);
  EXPECT_EQ(control.reports[1].step, 2);
  EXPECT_EQ(sink.rgb, video_of(5));

  const Snapshot foreign{"other/1", snapshot.state};
  EXPECT_THROW(generator.generate(request, 0, &foreign, sink, control), Error);
}

TEST(FakeGenerator, FailsWhereItWasTold) {
  FakeOptions options;
  options.fail_step = 2;
  options.fail_with = ErrorCode::OutOfMemory;
  FakeGenerator generator(options);
  CollectingSink sink;
  ScriptedControl control;
  try {
    generator.generate(request_of(generator, 1), 0, nullptr, sink, control);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::OutOfMemory);
    EXPECT_EQ(control.asked, 2);
  }
}

TEST(FakeGenerator, LoadsForAWhile) {
  FakeOptions options;
  options.load_ms = 1'000'000;
  const State loading = FakeGenerator(options).state();
  EXPECT_EQ(loading.phase, State::Phase::Loading);
  EXPECT_LT(loading.fraction, 1);
  EXPECT_EQ(FakeGenerator().state().phase, State::Phase::Ready);
  options = {};
  options.fail_load = true;
  EXPECT_EQ(FakeGenerator(options).state().phase, State::Phase::Failed);
}

TEST(FakeOptions, AreReadFromTheModelPath) {
  EXPECT_TRUE(is_fake("fake"));
  EXPECT_TRUE(is_fake("fake:step_ms=1"));
  EXPECT_FALSE(is_fake("fakes/model"));
  EXPECT_EQ(parse_fake_options("fake").steps, 4);
  const FakeOptions options = parse_fake_options(
      "fake:step_ms=5,load_ms=7,fail_step=3,fail_with=storage_full,size_multiple=32,width=96,"
      "height=64,slots=2");
  EXPECT_EQ(options.step_ms, 5);
  EXPECT_EQ(options.load_ms, 7);
  EXPECT_EQ(options.fail_step, 3);
  EXPECT_EQ(options.fail_with, ErrorCode::StorageFull);
  EXPECT_EQ(options.size_multiple, 32);
  EXPECT_EQ(options.width, 96);
  EXPECT_EQ(options.slots, 2);
}

TEST(FakeOptions, SayWhatIsTaken) {
  const Takes takes =
      parse_fake_options("fake:image=required,mask=optional,conditioning_layers=2,strength=1")
          .takes;
  EXPECT_EQ(takes.image, Take::Required);
  EXPECT_EQ(takes.mask, Take::Optional);
  EXPECT_EQ(takes.video, Take::No);
  EXPECT_EQ(takes.conditioning_layers, 2);
  EXPECT_TRUE(takes.strength);
  EXPECT_THROW(parse_fake_options("fake:image=yes"), Error);
}

TEST(FakeOptions, NameWhatIsWrong) {
  for (const auto& [path, message] : {std::pair{"fake:step_ms", "expected key=value"},
                                      {"fake:step_ms=x", "step_ms: expected 0 to"},
                                      {"fake:steps=0", "steps: expected 1 to"},
                                      {"fake:speed=1", "'speed': expected one of"},
                                      {"fake:fail_with=fire", "fail_with: expected internal"},
                                      {"fake:width=65", "multiples of 16, got 65x48"},
                                      {"model", "expected fake:"}}) {
    try {
      parse_fake_options(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.param(), "model-path");
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

}  // namespace
}  // namespace reel::gen
