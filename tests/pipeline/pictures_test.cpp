#include "reel/pipeline/pictures.h"

#include <gtest/gtest.h>

#include "noise_picture.h"
#include "reel/base/error.h"
#include "reel/gen/resolve.h"

namespace reel::pipeline {
namespace {

using test::noise;
using test::size_of;

/// The cases of one kind; each test has some.
std::vector<nlohmann::json> cases(const std::string& kind) {
  std::vector<nlohmann::json> some;
  for (const auto& one : test::golden_cases("preprocessing.json")) {
    if (one.at("kind") == kind) some.push_back(one);
  }
  EXPECT_FALSE(some.empty()) << kind;
  return some;
}

gen::Frames video(gen::Size size, uint32_t seed) {
  gen::Frames frames{3, size.width, size.height, {}};
  for (uint32_t i = 0; i < 3; ++i) {
    const auto frame = noise(size, seed + i);
    frames.rgb.insert(frames.rgb.end(), frame.rgb.begin(), frame.rgb.end());
  }
  return frames;
}

TEST(Pictures, AreResizedAsVaeImageProcessorDoes) {
  for (const auto& one : cases("vae")) {
    SCOPED_TRACE(one.dump());
    const auto fit = one.at("fit") == "fill"   ? Fit::Fill
                     : one.at("fit") == "crop" ? Fit::Crop
                                               : Fit::Stretch;
    const auto image =
        resized(noise(size_of(one.at("from")), one.at("seed")), size_of(one.at("to")), fit);
    EXPECT_EQ(test::crc(normalised(image).values), one.at("crc").get<uint32_t>());
  }
}

TEST(Pictures, AreSeenByClipAsItsProcessorDoes) {
  for (const auto& one : cases("clip")) {
    SCOPED_TRACE(one.dump());
    ClipPreprocessing how;
    how.shortest_edge = one.at("edge");
    how.crop = size_of(one.at("crop"));
    const auto planes = clip_input(noise(size_of(one.at("from")), one.at("seed")), how);
    EXPECT_EQ(planes.height, how.crop.height);
    EXPECT_EQ(planes.width, how.crop.width);
    EXPECT_EQ(test::crc(planes.values), one.at("crc").get<uint32_t>());
  }
}

TEST(Pictures, GiveAVideoItsSize) {
  for (const auto& one : cases("size")) {
    EXPECT_EQ(gen::size_like(size_of(one.at("from")), one.at("area"), 16), size_of(one.at("size")))
        << one;
  }
  EXPECT_EQ(gen::size_like({100'000, 1}, 480 * 832, 16).height, 16);
}

TEST(Pictures, ArePreparedForVaceAsItsPipelineDoes) {
  for (const auto& one : cases("vace")) {
    SCOPED_TRACE(one.dump());
    const auto from = size_of(one.at("from")), own = size_of(one.at("own"));
    const uint32_t seed = one.at("seed");
    const auto size = size_of(one.at("size"));
    const auto frames = resized(video(from, seed), size);
    EXPECT_EQ(test::crc(normalised(frames, 0, 3).values), one.at("video").get<uint32_t>());
    const auto mask = resized(video(own, seed + 10), size);
    EXPECT_EQ(test::crc(mask_values(mask, 0, 3).values), one.at("mask").get<uint32_t>());
    const auto reference = fitted(noise(own, seed + 20), size, 8);
    const auto& some = one.at("reference");
    for (size_t i = 0; i < some.size(); ++i) {
      EXPECT_NEAR(reference.values.at(i * 97), some[i].get<float>(), 1e-6) << i;
    }
  }
}

TEST(Pictures, AreNotFittedWhereNothingIsLeftOfThem) {
  try {
    fitted(noise({7, 20}, 1), {64, 64}, 8);
    FAIL() << "7 pixels have no place of 8";
  } catch (const Error& error) {
    EXPECT_EQ(error.param(), "reference_images");
    EXPECT_NE(std::string(error.what()).find("at least 8x8 pixels, got 7x20"), std::string::npos);
  }
}

TEST(Pictures, GiveAPartOfAVideo) {
  const auto frames = video({5, 4}, 1);
  const auto all = normalised(frames, 0, 3), last = normalised(frames, 2, 1);
  EXPECT_EQ(last.frames, 1);
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < 20; ++i) {
      EXPECT_EQ(last.values[c * 20 + i], all.values[c * 60 + 40 + i]);
    }
  }
  EXPECT_THROW(normalised(frames, 2, 2), Error);
}

}  // namespace
}  // namespace reel::pipeline
