#include <array>
#include <cstring>

#include "picture_file.h"

namespace reel::media {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;

/// The value of EXIF's tag, 0 if there is none.
int exif_orientation(std::string_view exif) {
  while (exif.starts_with(std::string_view("Exif\0\0", 6))) exif.remove_prefix(6);
  const bool big = exif.starts_with("MM");
  if (!big && !exif.starts_with("II")) return 0;
  const auto number = [&](size_t at, size_t length) -> uint32_t {
    const auto bytes = piece(exif, at, length);
    if (bytes.size() < length) return 0;
    return big ? big_endian(bytes) : little_endian(bytes);
  };
  const size_t directory = number(4, 4);
  const uint32_t entries = number(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + size_t{12} * i;
    if (entry >= exif.size()) break;
    if (number(entry, 2) != kOrientationTag) continue;
    const std::array<size_t, 5> lengths{0, 1, 0, 2, 4};  // of the types BYTE, SHORT, LONG
    const uint32_t type = number(entry + 2, 2), count = number(entry + 4, 4);
    const size_t length = type < lengths.size() ? lengths[type] : 0;
    if (count != 1 || length == 0) return 1;
    return static_cast<int>(number(entry + 8, length) & 0xff);
  }
  return 0;
}

int xmp_orientation(std::string_view xmp) {
  for (size_t at = 0; (at = xmp.find("tiff:Orientation", at)) != xmp.npos;) {
    at += std::strlen("tiff:Orientation");
    auto rest = xmp.substr(at);
    for (const std::string_view opening : {"=\"", ">"}) {
      if (!rest.starts_with(opening)) continue;
      const auto digit = piece(rest, opening.size(), 1);
      if (!digit.empty() && digit[0] >= '0' && digit[0] <= '9') return digit[0] - '0';
    }
  }
  return 1;
}

}  // namespace

int orientation(std::string_view exif, std::string_view xmp) {
  const int value = exif_orientation(exif);
  return value != 0 ? value : xmp_orientation(xmp);
}

gen::Image oriented(gen::Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transpose = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool from_below =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  gen::Image upright{transpose ? image.height : image.width, transpose ? image.width : image.height,
                     std::vector<uint8_t>(image.rgb.size())};
  uint8_t* to = upright.rgb.data();
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x, to += 3) {
      int column = transpose ? y : x, row = transpose ? x : y;
      if (from_right) column = image.width - 1 - column;
      if (from_below) row = image.height - 1 - row;
      const size_t at = (static_cast<size_t>(row) * static_cast<size_t>(image.width) +
                         static_cast<size_t>(column)) *
                        3;
      std::memcpy(to, &image.rgb[at], 3);
    }
  }
  return upright;
}

}  // namespace reel::media
