#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

#include "reel/models/wan_vae.h"

namespace reel::models::wan_vae {

/// A part of a picture, in latents.
struct Area {
  int64_t top, left, rows, columns;
};

/// How a picture is cut, in latents.
struct Tiles {
  int64_t rows, columns;  // of the whole
  int64_t tile_rows, tile_columns, stride_rows, stride_columns;

  int count() const;
};

/// `pixels` of a tile's sizes are one latent; all in one tile if it is `whole`. Throws
/// Error(InvalidArgument) unless sizes and strides are multiples of that and no stride is larger
/// than its size.
Tiles tiles_of(int64_t rows, int64_t columns, const Tiling& tiling, int64_t pixels, bool whole);

/// The whole from its tiles [B, C, T, rows · scale, columns · scale], neighbours blended into each
/// other; nothing as soon as `make` gives nothing.
std::optional<at::Tensor> stitched(
    const Tiles& tiles, int64_t scale,
    const std::function<std::optional<at::Tensor>(const Area&)>& make);

}  // namespace reel::models::wan_vae
