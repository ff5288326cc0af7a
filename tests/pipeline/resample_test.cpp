#include "reel/pipeline/resample.h"

#include <gtest/gtest.h>

#include "noise_picture.h"
#include "reel/base/error.h"

namespace reel::pipeline {
namespace {

using test::noise;

Filter filter_of(const std::string& name) {
  return name == "lanczos"   ? Filter::Lanczos
         : name == "bicubic" ? Filter::Bicubic
                             : Filter::Bilinear;
}

TEST(Resize, IsPillowsToTheBit) {
  const auto cases = test::golden_cases("resampling.json");
  EXPECT_EQ(cases.size(), 171u);
  for (const auto& one : cases) {
    SCOPED_TRACE(one.dump());
    std::optional<Box> box;
    if (const auto& b = one.at("box"); !b.is_null()) box = Box{b[0], b[1], b[2], b[3]};
    const auto to = test::size_of(one.at("to"));
    const auto image = resize(noise(test::size_of(one.at("from")), one.at("seed")), to,
                              filter_of(one.at("filter")), box);
    EXPECT_EQ((gen::Size{image.width, image.height}), to);
    EXPECT_EQ(test::crc(image.rgb), one.at("crc").get<uint32_t>());
  }
}

/// The checksums tell one filter from another, and one part of a picture from another.
TEST(Resize, IsNotPillowsWithAnythingElse) {
  const auto one = test::golden_cases("resampling.json").at(0);
  const auto image = noise(test::size_of(one.at("from")), one.at("seed"));
  const auto to = test::size_of(one.at("to"));
  const uint32_t wanted = one.at("crc");
  EXPECT_EQ(test::crc(resize(image, to, Filter::Bilinear).rgb), wanted);
  EXPECT_NE(test::crc(resize(image, to, Filter::Bicubic).rgb), wanted);
  EXPECT_NE(test::crc(resize(image, to, Filter::Bilinear, Box{0, 0, 65.99f, 92}).rgb), wanted);
}

TEST(Resize, RefusesAnEmptySize) {
  EXPECT_THROW(resize(noise({3, 3}, 0), {0, 3}, Filter::Bicubic), Error);
}

}  // namespace
}  // namespace reel::pipeline
