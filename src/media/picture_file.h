#pragma once

#include <string_view>

#include "reel/base/error.h"
#include "reel/media/video_decoder.h"

/// Readers of one kind of picture each. All throw as decode_image does.
namespace reel::media {

[[noreturn]] inline void broken(std::string_view kind, std::string_view why) {
  throw Error(ErrorCode::InvalidArgument, std::string(kind) + ": broken file: " + std::string(why));
}

void check_size(std::string_view kind, int64_t width, int64_t height, const PictureLimits& limits);

/// A black picture, if `limits` allow its size.
gen::Image blank_image(std::string_view kind, int64_t width, int64_t height,
                       const PictureLimits& limits);

/// `file` from `at` on, at most `length` bytes: empty where there is nothing.
inline std::string_view piece(std::string_view file, size_t at, size_t length) {
  return at < file.size() ? file.substr(at, length) : std::string_view{};
}

inline uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

inline uint32_t little_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

/// How the picture is to be turned, 1 … 8: as EXIF says, else XMP, else 1.
int orientation(std::string_view exif, std::string_view xmp);

/// Turned upright.
gen::Image oriented(gen::Image image, int orientation);

gen::Image read_jpeg(std::string_view file, const PictureLimits& limits);
gen::Image read_png(std::string_view file, const PictureLimits& limits);
gen::Image read_webp(std::string_view file, const PictureLimits& limits);
gen::Image read_gif(std::string_view file, const PictureLimits& limits);
gen::Image read_bmp(std::string_view file, const PictureLimits& limits);

/// Adds frames of one size to a video, within its limits.
class FrameCollector {
 public:
  FrameCollector(std::string_view kind, const VideoLimits& limits) : kind_(kind), limits_(limits) {}

  void add(const gen::Image& frame);
  /// Throws Error if there are none.
  gen::Frames take();

 private:
  std::string_view kind_;
  const VideoLimits& limits_;
  gen::Frames frames_;
};

gen::Frames read_gif_video(std::string_view file, const VideoLimits& limits);

}  // namespace reel::media
