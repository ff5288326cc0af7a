#include "tiles.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "reel/base/error.h"

// Facts: Diffusers' AutoencoderKLWan.tiled_decode, tiled_encode, blend_v and blend_h.

namespace reel::models::wan_vae {
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

int Tiles::count() const {
  const auto along = [](int64_t side, int64_t stride) { return (side + stride - 1) / stride; };
  return static_cast<int>(along(rows, stride_rows) * along(columns, stride_columns));
}

Tiles tiles_of(int64_t rows, int64_t columns, const Tiling& tiling, int64_t pixels, bool whole) {
  for (const auto& [size, stride] : {std::pair{tiling.height, tiling.stride_height},
                                     std::pair{tiling.width, tiling.stride_width}}) {
    require(stride > 0 && stride <= size && size % pixels == 0 && stride % pixels == 0,
            fmt::format("VAE tiles: expected multiples of {} with stride <= size, got size {} and "
                        "stride {}",
                        pixels, size, stride));
  }
  if (whole) return {rows, columns, rows, columns, rows, columns};
  return {rows,
          columns,
          tiling.height / pixels,
          tiling.width / pixels,
          tiling.stride_height / pixels,
          tiling.stride_width / pixels};
}

std::optional<at::Tensor> stitched(
    const Tiles& tiles, int64_t scale,
    const std::function<std::optional<at::Tensor>(const Area&)>& make) {
  at::Tensor whole;
  std::vector<at::Tensor> above;
  for (int64_t top = 0; top < tiles.rows; top += tiles.stride_rows) {
    std::vector<at::Tensor> row;
    for (int64_t left = 0; left < tiles.columns; left += tiles.stride_columns) {
      auto made = make({top, left, std::min(tiles.tile_rows, tiles.rows - top),
                        std::min(tiles.tile_columns, tiles.columns - left)});
      if (!made) return std::nullopt;
      at::Tensor& tile = row.emplace_back(*std::move(made));
      // In place: the neighbours that a tile is blended with have been blended themselves.
      if (top > 0) {
        blend(above[row.size() - 1], tile, 3, (tiles.tile_rows - tiles.stride_rows) * scale);
      }
      if (left > 0) {
        blend(row[row.size() - 2], tile, 4, (tiles.tile_columns - tiles.stride_columns) * scale);
      }
      if (!whole.defined()) {
        whole = tile.new_empty(
            {tile.size(0), tile.size(1), tile.size(2), tiles.rows * scale, tiles.columns * scale});
      }
      const int64_t rows = std::min(tiles.stride_rows * scale, tile.size(3));
      const int64_t columns = std::min(tiles.stride_columns * scale, tile.size(4));
      whole.narrow(3, top * scale, rows)
          .narrow(4, left * scale, columns)
          .copy_(tile.narrow(3, 0, rows).narrow(4, 0, columns));
    }
    above = std::move(row);
  }
  return whole;
}

}  // namespace reel::models::wan_vae
