#include <optional>

#include "gif.h"
#include "picture_file.h"

namespace reel::media {
namespace {

enum Disposal { kClear = 2, kAsBefore = 3 };

}  // namespace

// What Pillow makes of the disposals, alpha dropped.
gen::Frames read_gif_video(std::string_view file, const VideoLimits& limits) {
  constexpr std::string_view kKind = "GIF";
  GifReader reader(file, limits.picture);
  check_size(kKind, reader.width(), reader.height(), limits.picture);
  FrameCollector video(kKind, limits);
  gen::Image picture;
  GifFrame frame;
  int disposal = 0;                // one that says none leaves it to the one before
  std::optional<gen::Image> next;  // what the next frame is drawn onto, if not onto this one
  for (bool first = true; reader.next(frame); first = false) {
    if (next) picture = *std::exchange(next, std::nullopt);
    if (frame.disposal != 0) disposal = frame.disposal;
    if (!first &&
        (frame.left + frame.width > picture.width || frame.top + frame.height > picture.height)) {
      broken(kKind, "a frame reaches beyond the picture");
    }
    if (disposal == kAsBefore && !first) next = picture;
    if (first) {
      picture = first_picture(reader, frame, limits.picture);
    } else {
      draw(picture, frame);
    }
    const bool cleared =
        disposal == kClear || (disposal == kAsBefore && first && frame.transparent);
    if (cleared) {
      const auto background = static_cast<uint8_t>(reader.has_palette() ? reader.background() : 0);
      next = picture;
      fill(*next, frame, frame.palette[frame.transparent.value_or(background)]);
    }
    video.add(picture);
  }
  return video.take();
}

}  // namespace reel::media
