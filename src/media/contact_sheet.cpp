#include "reel/media/contact_sheet.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "libav.h"

namespace reel::media {
namespace {

constexpr int kTiles = 16;
constexpr int kTileSide = 192;  // pixels of the longer side, at most

int scaled(int side, int longer) {
  return std::max(1, side * kTileSide / std::max(longer, kTileSide));
}

}  // namespace

struct ContactSheet::Scaling {
  Converter convert;
  FramePtr tile;
};

ContactSheet::ContactSheet(const gen::VideoFormat& format)
    : format_(format),
      tiles_(std::clamp(format.frames, 1, kTiles)),
      columns_(static_cast<int>(std::ceil(std::sqrt(tiles_)))),
      width_(scaled(format.width, std::max(format.width, format.height))),
      height_(scaled(format.height, std::max(format.width, format.height))),
      scaling_(new Scaling{{format.width, format.height, width_, height_},
                           make_frame(width_, height_, AV_PIX_FMT_RGB24)}) {
  picture_.width = columns_ * width_;
  picture_.height = (tiles_ + columns_ - 1) / columns_ * height_;
  picture_.rgb.resize(static_cast<size_t>(picture_.width) * static_cast<size_t>(picture_.height) *
                      3);
}

ContactSheet::~ContactSheet() = default;

void ContactSheet::add(const gen::Frames& frames) {
  for (int i = 0; i < frames.count; ++i, ++frames_seen_) {
    const int next = tiles_ == 1 ? 0 : tiles_placed_ * (format_.frames - 1) / (tiles_ - 1);
    if (tiles_placed_ == tiles_ || frames_seen_ != next) continue;
    place(frames.rgb.data() + static_cast<size_t>(i) * frames.frame_bytes());
  }
}

void ContactSheet::place(const uint8_t* rgb) {
  AVFrame& tile = *scaling_->tile;
  scaling_->convert(rgb, &tile);
  const int left = tiles_placed_ % columns_ * width_, top = tiles_placed_ / columns_ * height_;
  for (int y = 0; y < height_; ++y) {
    const size_t at = static_cast<size_t>(top + y) * static_cast<size_t>(picture_.width) +
                      static_cast<size_t>(left);
    std::memcpy(picture_.rgb.data() + at * 3,
                tile.data[0] + static_cast<ptrdiff_t>(y) * tile.linesize[0],
                static_cast<size_t>(width_) * 3);
  }
  ++tiles_placed_;
}

}  // namespace reel::media
