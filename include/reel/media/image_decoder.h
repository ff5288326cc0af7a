#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "reel/gen/frames.h"

namespace reel::media {

struct PictureLimits {
  size_t bytes = size_t{32} << 20;  // of the file
  int64_t pixels = 64'000'000;      // width times height
};

/// The picture in a PNG, JPEG, WebP, GIF (its first frame) or BMP file, pixel for pixel what Pillow
/// gives: turned as EXIF says, palettes looked up, alpha dropped, CMYK taken for Adobe's.
///
/// The limits are held against the header, before anything is decoded. Throws Error: TooLarge over
/// a limit, Unsupported for another kind of file, InvalidArgument for a broken one.
gen::Image decode_image(std::string_view file, const PictureLimits& limits = {});

}  // namespace reel::media
