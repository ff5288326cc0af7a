#pragma once

#include <cstdint>
#include <memory>

#include "reel/gen/frames.h"

namespace reel::media {

/// Up to 16 frames of a video, evenly spaced from the first to the last, small, in rows of tiles.
class ContactSheet {
 public:
  explicit ContactSheet(const gen::VideoFormat& format);
  ~ContactSheet();

  /// All frames of the video, in order.
  void add(const gen::Frames& frames);

  const gen::Image& picture() const { return picture_; }

 private:
  struct Scaling;

  void place(const uint8_t* rgb);

  gen::VideoFormat format_;
  int tiles_, columns_, width_, height_;  // of a tile, pixels
  std::unique_ptr<Scaling> scaling_;
  int frames_seen_ = 0, tiles_placed_ = 0;
  gen::Image picture_;
};

}  // namespace reel::media
