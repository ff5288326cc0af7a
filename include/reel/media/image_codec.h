#pragma once

#include <string>
#include <string_view>

#include "reel/gen/frames.h"
#include "reel/gen/image_request.h"
#include "reel/media/metadata.h"

namespace reel::media {

using gen::ImageFormat;

std::string_view extension(ImageFormat format);     // "png", "jpg", "webp"
std::string_view content_type(ImageFormat format);  // "image/png", …

struct ImageOptions {
  int quality = 75;  // 0 … 100, of JPEG and WebP
  /// iTXt chunks of a PNG, XMP in JPEG and WebP (name space "urn:reel:"). JPEG has 64 KiB for it:
  /// the longest value is cut there, and ends in "…".
  Metadata metadata;
};

/// The bytes of an image file; JPEG and WebP in BT.601, as both demand. Throws Error(Unsupported)
/// when the installed FFmpeg lacks the encoder.
std::string encode_image(const gen::Image& image, ImageFormat format,
                         const ImageOptions& options = {});

}  // namespace reel::media
