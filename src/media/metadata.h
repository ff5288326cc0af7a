#pragma once

#include <string>
#include <string_view>

#include "reel/gen/description.h"
#include "reel/gen/image_request.h"
#include "reel/media/metadata.h"

namespace reel::media {

/// `utf8` with U+FFFD for what neither XML nor C strings hold: control characters but tab and
/// line ends, U+FFFE and U+FFFF.
std::string printable(std::string_view utf8);

/// A whole image file with `metadata` (UTF-8) in it: in a PNG one iTXt chunk each; in JPEG and
/// WebP one XMP packet of properties in the name space "urn:reel:". A JPEG segment ends at 64 KiB:
/// there the longest value is cut, and ends in "…".
std::string with_metadata(const std::string& file, gen::ImageFormat format, const gen::Size& size,
                          const Metadata& metadata);

}  // namespace reel::media
