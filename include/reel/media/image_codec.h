#pragma once

#include <string>
#include <string_view>

#include "reel/gen/frames.h"
#include "reel/gen/image_request.h"

namespace reel::media {

using gen::ImageFormat;

std::string_view extension(ImageFormat format);     // "png", "jpg", "webp"
std::string_view content_type(ImageFormat format);  // "image/png", …

/// The bytes of an image file. `quality` (0 … 100) is for JPEG and WebP.
/// Throws Error(Unsupported) when the installed FFmpeg lacks the encoder.
std::string encode_image(const gen::Image& image, ImageFormat format, int quality = 75);

}  // namespace reel::media
