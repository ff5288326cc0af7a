#include "reel/media/image_codec.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "temporary_folder.h"

namespace reel::media {
namespace {

using namespace std::string_literals;
using testing::EndsWith;
using testing::HasSubstr;

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
    EXPECT_GT(encode_image(image, format, {95, {}}).size(),
              encode_image(image, format, {10, {}}).size());
  }
}

TEST(ImageCodec, KeepsColours) {
  const test::TemporaryFolder folder;
  for (const auto format : {ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp}) {
    for (const Rgb& colour : kSaturated) {
      const auto file = folder.write("picture", encode_image(plain(colour, 64, 48), format));
      expect_colour(file, colour);
    }
  }
}

std::string made(ImageFormat format, const std::string& prompt) {
  return encode_image(gradient(51, 37), format, {75, {{"prompt", prompt}, {"seed", "7"}}});
}

uint64_t number(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

/// The XMP packet of a JPEG, by the length that its segment states.
std::string xmp_of_jpeg(const std::string& file) {
  const std::string name = "http://ns.adobe.com/xap/1.0/\0"s;
  const size_t at = file.find(name);
  if (at == std::string::npos) return {};
  EXPECT_EQ(file.substr(at - 4, 2), "\xff\xe1");
  const size_t length = number(file.substr(at - 2, 2));
  EXPECT_EQ(file[at - 2 + length], '\xff');  // the next segment
  return file.substr(at + name.size(), length - 2 - name.size());
}

TEST(ImageMetadata, IsATextChunkEachInPng) {
  const std::string file = made(ImageFormat::Png, "ein Bär <&>");
  const std::string chunk =
      "iTXtprompt\0\0\0\0\0"s + "ein Bär <&>\xec\xa1\xd8\x70";  // CRC-32 by zlib
  ASSERT_THAT(file, HasSubstr(chunk));
  EXPECT_EQ(number(file.substr(file.find(chunk) - 4, 4)), chunk.size() - 8);
  EXPECT_THAT(file, HasSubstr("iTXtseed\0\0\0\0\0"s + "7"));
  EXPECT_LT(file.find("iTXt"), file.find("IDAT"));
}

TEST(ImageMetadata, IsAnXmpPacketInJpegAndWebp) {
  const std::string jpeg = made(ImageFormat::Jpeg, "ein Bär <&>");
  const std::string packet = xmp_of_jpeg(jpeg);
  EXPECT_THAT(packet, HasSubstr("<reel:prompt>ein Bär &lt;&amp;&gt;</reel:prompt>"
                                "<reel:seed>7</reel:seed>"));

  const std::string webp = made(ImageFormat::Webp, "ein Bär <&>");
  EXPECT_EQ(webp.substr(12, 18), "VP8X\x0a\0\0\0\4\0\0\0\x32\0\0\x24\0\0"s);
  EXPECT_THAT(webp, HasSubstr(packet));
  const auto size = static_cast<uint8_t>(webp[4]) + (static_cast<uint8_t>(webp[5]) << 8);
  EXPECT_EQ(static_cast<size_t>(size) + 8, webp.size());
  EXPECT_EQ(webp.size() % 2, 0u);
}

TEST(ImageMetadata, LeavesThePictureAlone) {
  const auto image = gradient(51, 37);
  for (const auto format : {ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp}) {
    const std::string plain = encode_image(image, format), full = made(format, "a");
    const std::string data = plain.substr(plain.size() / 2);
    EXPECT_THAT(full, HasSubstr(data));
  }
}

TEST(ImageMetadata, OfAJpegEndsAt64KiB) {
  for (const std::string unit : {"a", "ä", "球", "🎈", "&", "ab&<球"}) {
    std::string prompt;
    while (prompt.size() < 200'000) prompt += unit;
    const std::string file = made(ImageFormat::Jpeg, prompt), packet = xmp_of_jpeg(file);
    EXPECT_GT(packet.size(), 65'000u) << unit;
    const std::string text = packet.substr(0, packet.find("</reel:prompt>"));
    ASSERT_THAT(text, EndsWith("…")) << unit;
    EXPECT_THAT(packet, HasSubstr("<reel:seed>7</reel:seed>"));
    const size_t end = text.size() - 3;
    EXPECT_THAT(made(ImageFormat::Webp, prompt), HasSubstr(text.substr(0, end)));
    const size_t entity = text.rfind('&');
    EXPECT_TRUE(entity == std::string::npos || text.find(';', entity) != std::string::npos) << unit;
    EXPECT_NO_THROW(nlohmann::json(text).dump()) << unit;  // UTF-8
  }
  const std::string longer(200'000, 'a');
  EXPECT_THAT(made(ImageFormat::Png, longer), HasSubstr(longer));
  EXPECT_THAT(made(ImageFormat::Webp, longer), HasSubstr(longer));
}

TEST(ImageMetadata, HasNoCharacterThatXmlLacks) {
  const std::string hard = "a\0b\x1b c\x7f\r\n\xef\xbf\xbf d"s, no = "\xef\xbf\xbd";
  EXPECT_THAT(xmp_of_jpeg(made(ImageFormat::Jpeg, hard)),
              HasSubstr("<reel:prompt>a" + no + "b" + no + " c" + no + "&#13;\n" + no + " d</"));
  EXPECT_THAT(made(ImageFormat::Png, hard),
              HasSubstr("a" + no + "b" + no + " c" + no + "\r\n" + no + " d"));
}

}  // namespace
}  // namespace reel::media
