#include "reel/media/image_codec.h"

#include <gtest/gtest.h>

namespace reel::media {
namespace {

gen::Image gradient(int width, int height) {
  gen::Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (const int v : {x, y, x + y}) image.rgb.push_back(static_cast<uint8_t>(v));
    }
  }
  return image;
}

TEST(ImageCodec, WritesEachFormatAtOddSizes) {
  const auto image = gradient(51, 37);
  EXPECT_EQ(encode_image(image, ImageFormat::Png).substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(encode_image(image, ImageFormat::Jpeg).substr(0, 3), "\xff\xd8\xff");
  const auto webp = encode_image(image, ImageFormat::Webp);
  EXPECT_EQ(webp.substr(0, 4), "RIFF");
  EXPECT_EQ(webp.substr(8, 4), "WEBP");
}

TEST(ImageCodec, GrowsWithQuality) {
  const auto image = gradient(128, 128);
  for (const auto format : {ImageFormat::Jpeg, ImageFormat::Webp}) {
    EXPECT_GT(encode_image(image, format, 95).size(), encode_image(image, format, 10).size());
  }
}

}  // namespace
}  // namespace reel::media
