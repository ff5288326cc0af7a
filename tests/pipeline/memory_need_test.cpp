#include "reel/pipeline/memory_need.h"

#include <gtest/gtest.h>

#include "device.h"
#include "reel/base/error.h"
#include "temporary_folder.h"

namespace reel::pipeline {
namespace {

gen::ResolvedRequest request(int width, int height, int frames) {
  gen::ResolvedRequest r;
  r.width = width;
  r.height = height;
  r.num_frames = frames;
  r.guidance_scale = 5;
  r.max_sequence_length = 512;
  return r;
}

MemoryNeed need_of(const std::string& model, const Options& options = {}) {
  return {config::open_model_folder(test::golden_folder() / "models" / model), options};
}

class MemoryNeeds : public testing::TestWithParam<const char*> {};

TEST_P(MemoryNeeds, GrowWithSizeAndFrames) {
  const auto need = need_of(GetParam());
  uint64_t before = 0;
  for (const auto& [width, height, frames] : {std::tuple{64, 64, 1},
                                              {64, 64, 5},
                                              {128, 64, 5},
                                              {512, 512, 5},
                                              {512, 512, 1001},
                                              {1280, 704, 1001},
                                              {1280, 704, 4001},
                                              {8192, 8192, 4001}}) {
    const uint64_t now = need(request(width, height, frames));
    EXPECT_GT(now, before) << width << "x" << height << ", " << frames;
    before = now;
  }
  for (int frames = 5; frames < 200; frames += 4) {
    EXPECT_GE(need(request(512, 512, frames)), need(request(512, 512, frames - 4)));
  }
}

TEST_P(MemoryNeeds, DoNotOverflow) {
  EXPECT_GT(need_of(GetParam())(request(16384, 16384, 100'001)), uint64_t{1} << 40);
}

TEST_P(MemoryNeeds, AreLessWithoutGuidanceAndInHalfPrecision) {
  auto large = request(512, 512, 81);
  const auto need = need_of(GetParam());
  auto alone = large;
  alone.guidance_scale = 1;
  EXPECT_LT(need(alone), need(large));
  Options wide;
  wide.dit = c10::kFloat;
  Options narrow;
  narrow.vae = c10::kBFloat16;
  large.num_frames = 4001;  // denoising is the larger part
  EXPECT_GT(need_of(GetParam(), wide)(large), need(large));
  Options without_passes;
  without_passes.dit = c10::kHalf;
  EXPECT_GT(need_of(GetParam(), without_passes)(large), need(large));
  large.num_frames = 5;
  EXPECT_LT(need_of(GetParam(), narrow)(large), need(large));
}

TEST_P(MemoryNeeds, AreLessInTiles) {
  Options tiled;
  tiled.vae_tiling = true;
  const auto whole = need_of(GetParam()), tiles = need_of(GetParam(), tiled);
  EXPECT_LT(tiles(request(1280, 704, 5)), whole(request(1280, 704, 5)));
  EXPECT_LT(tiles(request(1280, 704, 17)), tiles(request(1280, 704, 81)));
  EXPECT_LT(tiles(request(512, 512, 17)), tiles(request(1280, 704, 17)));
}

INSTANTIATE_TEST_SUITE_P(Models, MemoryNeeds,
                         testing::Values("t2v-tiny", "a14b-tiny", "ti2v-5b-tiny", "vace-tiny"));

TEST(MemoryNeed, SaysWhatIsWrongWithAConfiguration) {
  const test::TemporaryFolder folder;
  folder.write("config.json", "{");
  auto model = config::open_model_folder(test::golden_folder() / "models" / "t2v-tiny");
  model.components["vae"] = folder.path();
  EXPECT_THROW(MemoryNeed(model, {}), Error);
}

}  // namespace
}  // namespace reel::pipeline
