#include "reel/media/video_encoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "command.h"
#include "reel/base/error.h"

namespace reel::media {
namespace {

gen::Frames test_frames(int first, int count, int width, int height) {
  gen::Frames frames{count, width, height, {}};
  for (int f = first; f < first + count; ++f) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        frames.rgb.push_back(static_cast<uint8_t>(x * 4));
        frames.rgb.push_back(static_cast<uint8_t>(y * 4));
        frames.rgb.push_back(static_cast<uint8_t>(f * 16));
      }
    }
  }
  return frames;
}

gen::Frames moving_square(int count, int width, int height) {
  gen::Frames frames = test_frames(0, count, width, height);
  uint8_t* byte = frames.rgb.data();
  for (int f = 0; f < count; ++f) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x, byte += 3) {
        const bool inside = std::abs(x - 8 - 3 * f) < 8 && std::abs(y - 30 + f) < 8;
        byte[0] = static_cast<uint8_t>(inside ? 200 : 4 * x);
        byte[2] = static_cast<uint8_t>(inside ? 255 : 55);
      }
    }
  }
  return frames;
}

class VideoFile : public testing::Test {
 protected:
  ~VideoFile() override { std::filesystem::remove(path); }

  void make(int width, int height, int frames, const VideoOptions& options = {}) {
    VideoEncoder encoder(path, options);
    encoder.begin({width, height, 16, frames});
    encoder.write(test_frames(0, 1, width, height));
    for (int f = 1; f < frames; f += 4) encoder.write(test_frames(f, 4, width, height));
    encoder.finish();
  }

  std::string probe(const std::string& what) const {
    const auto command = fmt::format(
        "ffprobe -v error -count_frames -show_entries {} -of csv=p=0 '{}'", what, path.string());
    std::string out = output_of(command);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }

  std::string bytes() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("reel-media-{}.mp4", getpid());
};

TEST_F(VideoFile, IsWhatFfprobeExpects) {
  make(80, 48, 9, {.quality = 50, .metadata = {{"prompt", "a \"red\" ball; 球"}, {"seed", "7"}}});
  EXPECT_EQ(probe("stream=codec_name,width,height,pix_fmt,r_frame_rate,nb_read_frames"),
            "h264,80,48,yuv420p,16/1,9");
  EXPECT_EQ(probe("format_tags=prompt"), "\"a \"\"red\"\" ball; 球\"");
  EXPECT_EQ(probe("format_tags=seed"), "7");
}

TEST_F(VideoFile, HasItsColoursAndSaysThatTheyAreBt709) {
  for (const Rgb& colour : kSaturated) {
    VideoEncoder encoder(path, {});
    encoder.begin({64, 48, 16, 1});
    encoder.write({1, 64, 48, plain(colour, 64, 48).rgb});
    encoder.finish();
    EXPECT_EQ(probe("stream=color_range,color_space,color_transfer,color_primaries"),
              "tv,bt709,bt709,bt709");
    expect_colour(path, colour);
  }
}

TEST_F(VideoFile, CanBePlayedWhileItLoads) {
  make(80, 48, 9);
  const auto file = bytes();
  EXPECT_LT(file.find("moov"), file.find("mdat"));
}

TEST_F(VideoFile, HasTheSameBytesForTheSameFramesWhateverIsInFreshMemory) {
  std::set<std::string> files;
  for (const int filling : {0, 1, 77, 128, 200}) {
    mallopt(M_PERTURB, filling);
    VideoEncoder encoder(path, {});
    encoder.begin({64, 48, 16, 17});
    encoder.write(moving_square(17, 64, 48));
    encoder.finish();
    files.insert(bytes());
  }
  mallopt(M_PERTURB, 0);
  EXPECT_EQ(files.size(), 1u);
}

TEST_F(VideoFile, GrowsWithQuality) {
  make(80, 48, 9, {.quality = 20, .metadata = {}});
  const auto coarse = bytes().size();
  make(80, 48, 9, {.quality = 95, .metadata = {}});
  EXPECT_GT(bytes().size(), coarse);
}

TEST_F(VideoFile, MayBeOneFrame) {
  make(32, 32, 1);
  EXPECT_EQ(probe("stream=nb_read_frames"), "1");
}

TEST_F(VideoFile, RefusesOddSizesAndMissingFrames) {
  VideoEncoder odd(path, {});
  EXPECT_THROW(odd.begin({81, 48, 16, 1}), Error);

  VideoEncoder encoder(path, {});
  encoder.begin({80, 48, 16, 5});
  encoder.write(test_frames(0, 1, 80, 48));
  EXPECT_THROW(encoder.finish(), Error);
}

TEST(VideoEncoder, SaysThatTheDiskIsFull) {
  VideoEncoder encoder("/dev/full", {.quality = 100, .metadata = {}});
  try {
    encoder.begin({256, 256, 16, 41});
    encoder.write(test_frames(0, 41, 256, 256));
    encoder.finish();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::StorageFull) << error.what();
  }
}

}  // namespace
}  // namespace reel::media
