#pragma once

#include <map>
#include <string>
#include <string_view>

#include "reel/gen/frames.h"

namespace reel::media {

enum class ImageFormat { Png, Jpeg, Webp };

/// Reads "png", "jpeg", "jpg" or "webp". Throws Error(InvalidArgument) with `param`.
ImageFormat parse_image_format(std::string_view name, const std::string& param = "output_format");

std::string_view extension(ImageFormat format);     // "png", "jpg", "webp"
std::string_view content_type(ImageFormat format);  // "image/png", …

/// The bytes of an image file. `quality` (0 … 100) is for JPEG and WebP.
/// Throws Error(Unsupported) when the installed FFmpeg lacks the encoder.
std::string encode_image(const gen::Image& image, ImageFormat format, int quality = 75);

}  // namespace reel::media
