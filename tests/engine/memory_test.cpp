#include "memory.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/base/error.h"
#include "reel/engine/engine.h"
#include "temporary_folder.h"

namespace reel::engine {
namespace {

using testing::AllOf;
using testing::HasSubstr;

gen::ResolvedRequest request(int width, int height, int frames) {
  gen::ResolvedRequest r;
  r.width = width;
  r.height = height;
  r.num_frames = frames;
  return r;
}

/// A byte for each pixel.
uint64_t need(const gen::ResolvedRequest& r) {
  return static_cast<uint64_t>(r.width) * static_cast<uint64_t>(r.height) *
         static_cast<uint64_t>(r.num_frames);
}

std::pair<std::string, std::string> fault(const gen::ResolvedRequest& r, uint64_t left,
                                          const std::vector<gen::Size>& published = {}) {
  gen::Description model;
  model.sizes = published;
  try {
    check_memory(r, model, need, left);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    return {error.param(), error.what()};
  }
  return {"none", ""};
}

TEST(Memory, WhatJustFitsIsTaken) {
  const auto r = request(832, 480, 81);
  EXPECT_EQ(fault(r, need(r)).first, "none");
  EXPECT_EQ(fault(r, need(r) - 1).first, "num_frames");
}

TEST(Memory, SaysHowManyFramesAndWhichSizesFit) {
  const auto [param, what] = fault(request(1280, 720, 81), uint64_t{1280} * 720 * 43,
                                   {{1280, 720}, {832, 480}, {480, 832}});
  EXPECT_EQ(param, "num_frames");
  EXPECT_THAT(what, AllOf(HasSubstr("expected at most 41, got 1280x720 with 81 frames"),
                          HasSubstr("81 frames can have: 832x480, 480x832")));
}

TEST(Memory, ASizeOfWhichNoFrameFitsIsNamed) {
  const auto [param, what] = fault(request(4096, 2048, 1), uint64_t{2048} * 1024, {{4096, 2048}});
  EXPECT_EQ(param, "size");
  EXPECT_THAT(what, HasSubstr("1 frames can have: 2048x1024"));  // of its shape
  EXPECT_THAT(fault(request(64, 64, 1), 0).second, HasSubstr("can have: none"));
}

TEST(Memory, WhatTheProcessHoldsIsNotLeft) {
  const uint64_t before = memory_left(at::kCPU);
  ASSERT_GT(before, uint64_t{64} << 20);
  const auto held = at::ones({32 << 20});  // 128 MiB
  EXPECT_LT(memory_left(at::kCPU), before - (uint64_t{64} << 20));
}

TEST(Memory, TheEngineRefusesWhatNoMachineHolds) {
  Options options;
  options.model_path = test::golden_folder() / "models" / "t2v-tiny";
  const test::TemporaryFolder transformer;  // that knows places without end
  const std::string weights = "diffusion_pytorch_model.safetensors";
  auto config =
      nlohmann::json::parse(std::ifstream(options.model_path / "transformer" / "config.json"));
  config["rope_max_seq_len"] = 20'000;
  transformer.write("config.json", config.dump());
  std::filesystem::copy(options.model_path / "transformer" / weights, transformer / weights);
  options.component_paths["transformer"] = transformer.path();
  options.device = "cpu";
  options.threads = 1;
  options.warm_up = false;
  const Engine engine(options);
  gen::VideoRequest asked;
  asked.prompt = "a red ball";
  asked.width = asked.height = engine.describe().max_side;
  asked.num_frames = engine.describe().max_frames;
  try {
    engine.check(asked);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.param(), testing::AnyOf("num_frames", "size"));
  }
  asked.width = asked.height = 64;
  asked.num_frames = 5;
  EXPECT_EQ(engine.check(asked).num_frames, 5);
}

}  // namespace
}  // namespace reel::engine
