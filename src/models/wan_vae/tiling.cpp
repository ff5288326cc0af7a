#include <ATen/ATen.h>
#include <fmt/format.h>

#include "reel/base/error.h"
#include "reel/models/wan_vae.h"

// Facts: Diffusers' AutoencoderKLWan.tiled_decode, blend_v and blend_h.

namespace reel::models {
namespace {

/// Lets the end of `before` run over into the beginning of `tile`.
void blend(const at::Tensor& before, at::Tensor& tile, int64_t dim, int64_t extent) {
  extent = std::min({extent, before.size(dim), tile.size(dim)});
  if (extent == 0) return;
  std::vector<int64_t> along(static_cast<size_t>(tile.dim()), 1);
  along[static_cast<size_t>(dim)] = extent;
  const at::Tensor share = (at::arange(extent, at::kDouble) / extent).view(along);
  const auto factor = [&](const at::Tensor& x) { return x.to(tile.options()); };
  at::Tensor start = tile.narrow(dim, 0, extent);
  start.copy_(before.narrow(dim, before.size(dim) - extent, extent) * factor(1 - share) +
              start * factor(share));
}

}  // namespace

std::optional<at::Tensor> WanVaeDecoder::decode_tiled(
    const at::Tensor& z, const Tiling& tiling, const std::function<bool(int, int)>& keep_on) const {
  const int64_t latent = config_.scale_factor_spatial;  // pixels
  for (const auto& [size, stride] : {std::pair{tiling.height, tiling.stride_height},
                                     std::pair{tiling.width, tiling.stride_width}}) {
    require(stride > 0 && stride <= size && size % latent == 0 && stride % latent == 0,
            fmt::format("VAE tiles: expected multiples of {} with stride <= size, got size {} and "
                        "stride {}",
                        latent, size, stride));
  }
  const int64_t height = z.size(3), width = z.size(4);
  // The network's own pixels, before patches are taken apart.
  const int64_t scale = latent / config_.patch_size.value_or(1);
  int64_t tile_h = tiling.height / latent, stride_h = tiling.stride_height / latent;
  int64_t tile_w = tiling.width / latent, stride_w = tiling.stride_width / latent;
  if (height <= tile_h && width <= tile_w) {  // one tile
    stride_h = tile_h;
    stride_w = tile_w;
  }
  const auto tiles = [](int64_t side, int64_t stride) { return (side + stride - 1) / stride; };
  const auto total = static_cast<int>(tiles(height, stride_h) * tiles(width, stride_w) * z.size(2));
  int done = 0;

  at::Tensor whole;
  std::vector<at::Tensor> above;
  for (int64_t top = 0; top < height; top += stride_h) {
    std::vector<at::Tensor> row;
    for (int64_t left = 0; left < width; left += stride_w) {
      const auto z_tile = z.narrow(3, top, std::min(tile_h, height - top))
                              .narrow(4, left, std::min(tile_w, width - left));
      DecoderCache cache;
      std::vector<at::Tensor> parts;
      for (int64_t t = 0; t < z.size(2); ++t) {
        if (!keep_on(done++, total)) return std::nullopt;
        parts.push_back(decode_part(z_tile.narrow(2, t, 1), cache));
      }
      at::Tensor tile = at::cat(parts, 2);
      // In place: the neighbours that a tile is blended with have been blended themselves.
      if (top > 0) blend(above[row.size()], tile, 3, (tile_h - stride_h) * scale);
      if (left > 0) blend(row.back(), tile, 4, (tile_w - stride_w) * scale);
      if (!whole.defined()) {
        whole = tile.new_empty(
            {tile.size(0), tile.size(1), tile.size(2), height * scale, width * scale});
      }
      const int64_t rows = std::min(stride_h * scale, tile.size(3));
      const int64_t columns = std::min(stride_w * scale, tile.size(4));
      whole.narrow(3, top * scale, rows)
          .narrow(4, left * scale, columns)
          .copy_(tile.narrow(3, 0, rows).narrow(4, 0, columns));
      row.push_back(std::move(tile));
    }
    above = std::move(row);
  }
  return finish(whole);
}

}  // namespace reel::models
