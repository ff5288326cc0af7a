#include "reel/media/image_decoder.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>

#include "reel/base/error.h"

namespace reel::media {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using testing::HasSubstr;

const fs::path kPictures = fs::path(REEL_SOURCE_DIR) / "tests/goldens/pictures";

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What load_image made of it, from a PPM.
gen::Image read_ppm(const fs::path& path) {
  std::istringstream file(bytes_of(path));
  std::string kind;
  int most = 0;
  gen::Image image;
  file >> kind >> image.width >> image.height >> most;
  file.get();
  image.rgb.assign(std::istreambuf_iterator<char>(file), {});
  return image;
}

std::vector<fs::path> pictures() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kPictures)) {
    if (entry.path().extension() != ".ppm") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(DecodeImage, GivesWhatPillowGives) {
  std::map<std::string, int> seen;
  for (const fs::path& path : pictures()) {
    SCOPED_TRACE(path.filename());
    const auto wanted = read_ppm(path.string() + ".ppm");
    ASSERT_FALSE(wanted.rgb.empty());
    try {
      const auto image = decode_image(bytes_of(path));
      EXPECT_EQ(image.width, wanted.width);
      EXPECT_EQ(image.height, wanted.height);
      EXPECT_TRUE(image.rgb == wanted.rgb);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
    ++seen[path.extension()];
  }
  EXPECT_THAT(seen,
              testing::UnorderedElementsAre(testing::Pair(".png", 24), testing::Pair(".jpg", 20),
                                            testing::Pair(".webp", 6), testing::Pair(".gif", 9),
                                            testing::Pair(".bmp", 11)));
}

ErrorCode code_of(std::string_view file, const PictureLimits& limits = {}) {
  try {
    decode_image(file, limits);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "was decoded";
  return ErrorCode::Internal;
}

/// The file with `bytes` from `at` on.
std::string patched(const char* name, size_t at, std::string_view bytes) {
  return bytes_of(kPictures / name).replace(at, bytes.size(), bytes);
}

TEST(DecodeImage, RefusesAHugeSizeByItsHeader) {
  EXPECT_EQ(code_of(patched("rgb8.png", 16, "\0\1\0\0\0\1\0\0"s)), ErrorCode::TooLarge);
  const auto frame = bytes_of(kPictures / "444.jpg").find("\xff\xc0");
  EXPECT_EQ(code_of(patched("444.jpg", frame + 5, "\xff\xff\xff\xff")), ErrorCode::TooLarge);
  EXPECT_EQ(code_of(patched("moving.webp", 24, "\xff\x3f\0\xff\x3f\0"s)), ErrorCode::TooLarge);
  EXPECT_EQ(code_of(patched("palette.gif", 6, "\xff\xff\xff\xff")), ErrorCode::TooLarge);
  EXPECT_EQ(code_of(patched("rgb.bmp", 18, "\0\0\1\0\0\0\1\0"s)), ErrorCode::TooLarge);
}

TEST(DecodeImage, HoldsItsLimits) {
  const auto file = bytes_of(kPictures / "rgb8.png");
  EXPECT_EQ(decode_image(file, {file.size(), 21 * 13}).width, 21);
  EXPECT_EQ(code_of(file, {file.size() - 1, 21 * 13}), ErrorCode::TooLarge);
  EXPECT_EQ(code_of(file, {file.size(), 21 * 13 - 1}), ErrorCode::TooLarge);
}

TEST(DecodeImage, NamesWhatItCannotRead) {
  for (const auto text : {"", "P6 1 1 255 abc", "<svg/>", "\xff\xd8", "RIFF....WEBP"}) {
    const auto code = code_of(text);
    EXPECT_TRUE(code == ErrorCode::Unsupported || code == ErrorCode::InvalidArgument) << text;
  }
  EXPECT_EQ(code_of(patched("rgb8.png", 16, "\0\0\0\0"s)), ErrorCode::InvalidArgument);
}

TEST(DecodeImage, RefusesAFileThatEndsTooEarly) {
  for (const auto name : {"rgb8.png", "420.jpg", "cmyk.jpg", "lossy.webp", "lossless.webp",
                          "palette.gif", "rgb.bmp"}) {
    SCOPED_TRACE(name);
    const auto file = bytes_of(kPictures / name);
    EXPECT_EQ(code_of(std::string_view(file).substr(0, file.size() * 3 / 4)),
              ErrorCode::InvalidArgument);
  }
}

/// Whatever the bytes, an Error or a picture of the size that it states.
TEST(DecodeImage, SurvivesDamage) {
  std::mt19937 random(7);
  const auto any = [&](size_t below) { return random() % below; };
  for (const fs::path& path : pictures()) {
    const auto whole = bytes_of(path);
    for (int round = 0; round < 40; ++round) {
      auto file = whole.substr(0, any(4) == 0 ? any(whole.size()) : whole.size());
      for (size_t i = any(8); i-- > 0 && !file.empty();) {
        file[any(file.size())] = static_cast<char>(any(256));
      }
      try {
        const auto image = decode_image(file, {size_t{1} << 20, 1'000'000});
        EXPECT_EQ(image.rgb.size(),
                  static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3);
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::Internal) << path << ": " << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace reel::media
