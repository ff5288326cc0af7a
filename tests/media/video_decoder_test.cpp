#include "reel/media/video_decoder.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "reel/base/error.h"
#include "reel/base/read_file.h"
#include "reel/media/image_codec.h"
#include "temporary_folder.h"

namespace reel::media {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kVideos = fs::path(REEL_SOURCE_DIR) / "tests/goldens/videos";

std::string bytes_of(const fs::path& path) { return read_file(path, 1 << 20, ErrorCode::NotFound); }

/// What load_video made of each file: its shape, and the sums of its rows' bytes, frame by frame.
TEST(DecodeVideo, GivesWhatLoadVideoGives) {
  const json cases = json::parse(bytes_of(kVideos / "frames.json")).at("cases");
  EXPECT_EQ(cases.size(), 10u);
  for (const json& one : cases) {
    SCOPED_TRACE(one.at("file"));
    const auto video = decode_video(bytes_of(kVideos / one.at("file").get<std::string>()));
    EXPECT_EQ(video.count, one.at("count"));
    EXPECT_EQ(video.width, one.at("width"));
    EXPECT_EQ(video.height, one.at("height"));
    const auto& rows = one.at("rows");
    const size_t row = static_cast<size_t>(video.width) * 3;
    ASSERT_EQ(video.rgb.size(), rows.size() * row);
    for (size_t i = 0; i < rows.size(); ++i) {
      int sum = 0;
      for (size_t x = 0; x < row; ++x) sum += video.rgb[i * row + x];
      EXPECT_EQ(sum, rows[i].get<int>()) << i;
    }
  }
}

ErrorCode code_of(std::string_view file, const VideoLimits& limits = {}) {
  try {
    decode_video(file, limits);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "was decoded";
  return ErrorCode::Internal;
}

TEST(DecodeVideo, HoldsItsLimits) {
  for (const auto name : {"h264.mp4", "disposal.gif"}) {
    const auto file = bytes_of(kVideos / name);
    const auto whole = decode_video(file);
    VideoLimits limits;
    limits.frames = whole.count - 1;
    EXPECT_EQ(code_of(file, limits), ErrorCode::TooLarge);
    limits = {};
    limits.pixels = int64_t{whole.count} * whole.width * whole.height - 1;
    EXPECT_EQ(code_of(file, limits), ErrorCode::TooLarge);
    limits = {};
    limits.picture.pixels = int64_t{whole.width} * whole.height - 1;
    EXPECT_EQ(code_of(file, limits), ErrorCode::TooLarge);
    limits = {};
    limits.picture.bytes = file.size() - 1;
    EXPECT_EQ(code_of(file, limits), ErrorCode::TooLarge);
  }
}

TEST(DecodeVideo, ReadsNoOtherFiles) {
  for (const auto text : {"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
                          "ffconcat version 1.0\nfile /etc/passwd\n", "", "no video"}) {
    EXPECT_EQ(code_of(text), ErrorCode::Unsupported) << text;
  }
}

TEST(DecodeVideo, TakesAPictureForOneFrame) {
  const gen::Image image{2, 1, {1, 2, 3, 4, 5, 6}};
  const auto video = decode_video(encode_image(image, ImageFormat::Png));
  EXPECT_EQ(video.count, 1);
  EXPECT_EQ(video.rgb, image.rgb);
}

TEST(DecodeVideo, RefusesAnAnimatedPicture) {
  const std::string png = "\x89PNG\r\n\x1a\n....IHDR....acTL....IDAT";
  const std::string webp = std::string("RIFF....WEBPVP8X....\x02", 21);
  for (const std::string& file : {png, webp}) {
    EXPECT_THAT([&] { decode_video(file, {}); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("an animated PNG or WebP")));
  }
}

TEST(ReadFrames, TakesAFoldersPicturesByName) {
  const test::TemporaryFolder folder;
  folder.write("b.png", encode_image({1, 1, {4, 5, 6}}, ImageFormat::Png));
  folder.write("a.png", encode_image({1, 1, {1, 2, 3}}, ImageFormat::Png));
  EXPECT_EQ(read_frames(folder.path()).rgb, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  folder.write("c.png", encode_image({2, 1, {1, 2, 3, 1, 2, 3}}, ImageFormat::Png));
  EXPECT_THROW(read_frames(folder.path()), Error);
  EXPECT_THROW(read_frames(folder / "none"), Error);
}

}  // namespace
}  // namespace reel::media
