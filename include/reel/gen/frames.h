#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reel::gen {

/// One picture: 8-bit RGB, rows top to bottom, no padding.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // height * width * 3
};

/// Consecutive frames of a video: 8-bit RGB, [count, height, width, 3], no padding.
struct Frames {
  int count = 0;
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;

  size_t frame_bytes() const {
    return static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  }
};

struct VideoFormat {
  int width = 0;
  int height = 0;
  int fps = 0;
  int frames = 0;  // in all
};

/// Takes the frames of one video as they are decoded. One thread at a time.
class FrameSink {
 public:
  virtual ~FrameSink() = default;

  /// Once, before the first frames.
  virtual void begin(const VideoFormat& format) = 0;

  /// In order; together `format.frames`. May block while the sink is behind.
  /// Throws Error if the frames can no longer be taken (StorageFull, …).
  virtual void write(Frames frames) = 0;
};

}  // namespace reel::gen
