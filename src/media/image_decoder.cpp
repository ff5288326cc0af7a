#include "reel/media/image_decoder.h"

#include <fmt/format.h>

#include "picture_file.h"

namespace reel::media {

void check_size(std::string_view kind, int64_t width, int64_t height, const PictureLimits& limits) {
  if (width < 1 || height < 1) broken(kind, fmt::format("a size of {}x{}", width, height));
  if (width > limits.pixels / height) {
    throw Error(ErrorCode::TooLarge, fmt::format("{}: {}x{} pixels, at most {} million are read",
                                                 kind, width, height, limits.pixels / 1'000'000));
  }
}

gen::Image blank_image(std::string_view kind, int64_t width, int64_t height,
                       const PictureLimits& limits) {
  check_size(kind, width, height, limits);
  gen::Image image{static_cast<int>(width), static_cast<int>(height), {}};
  image.rgb.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  return image;
}

gen::Image decode_image(std::string_view file, const PictureLimits& limits) {
  if (file.size() > limits.bytes) {
    throw Error(ErrorCode::TooLarge, fmt::format("a picture of {} bytes, at most {} are read",
                                                 file.size(), limits.bytes));
  }
  if (file.starts_with("\xff\xd8\xff")) return read_jpeg(file, limits);
  if (file.starts_with("\x89PNG\r\n\x1a\n")) return read_png(file, limits);
  if (file.starts_with("RIFF") && piece(file, 8, 4) == "WEBP") return read_webp(file, limits);
  if (file.starts_with("GIF87a") || file.starts_with("GIF89a")) return read_gif(file, limits);
  if (file.starts_with("BM")) return read_bmp(file, limits);
  throw Error(ErrorCode::Unsupported, "not a picture in PNG, JPEG, WebP, GIF or BMP");
}

}  // namespace reel::media
