#pragma once

#include <optional>

#include "reel/gen/description.h"
#include "reel/gen/frames.h"

namespace reel::pipeline {

enum class Filter { Bilinear, Bicubic, Lanczos };

/// A part of a picture, in pixels from its upper left corner. May be empty: then its edge is
/// spread.
struct Box {
  float left = 0, top = 0, right = 0, bottom = 0;
};

/// `image`, or `box` of it, in another size: bit for bit what Image.resize of Pillow 13 makes of
/// 8-bit RGB (earlier ones never resize downwards first). Throws Error(InvalidArgument) for a size
/// below 1.
gen::Image resize(const gen::Image& image, gen::Size size, Filter filter,
                  const std::optional<Box>& box = {});

}  // namespace reel::pipeline
