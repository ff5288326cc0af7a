#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "picture_file.h"

namespace reel::media {
namespace {

constexpr std::string_view kKind = "WebP";

struct Free {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

/// The frame, and release() at the end.
struct Frame : WebPIterator {
  explicit Frame(const WebPDemuxer* demuxer) : WebPIterator{} {
    if (!WebPDemuxGetFrame(demuxer, 1, this)) broken(kKind, "no picture in it");
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { WebPDemuxReleaseIterator(this); }
};

std::string chunk(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator found{};
  std::string bytes;
  if (WebPDemuxGetChunk(demuxer, name, 1, &found)) {
    bytes.assign(reinterpret_cast<const char*>(found.chunk.bytes), found.chunk.size);
  }
  WebPDemuxReleaseChunkIterator(&found);
  return bytes;
}

}  // namespace

gen::Image read_webp(std::string_view file, const PictureLimits& limits) {
  const WebPData data{reinterpret_cast<const uint8_t*>(file.data()), file.size()};
  const std::unique_ptr<WebPDemuxer, Free> demuxer(WebPDemux(&data));
  if (!demuxer) broken(kKind, "its parts do not fit together");
  auto image = blank_image(kKind, WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                           WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT), limits);
  const Frame frame(demuxer.get());
  const bool inside = frame.x_offset >= 0 && frame.y_offset >= 0 &&
                      frame.width <= image.width - frame.x_offset &&
                      frame.height <= image.height - frame.y_offset;
  if (!inside) broken(kKind, "a frame reaches beyond the picture");
  const int row = image.width * 3;
  const size_t first = static_cast<size_t>(frame.y_offset) * static_cast<size_t>(row) +
                       static_cast<size_t>(frame.x_offset) * 3;
  if (!WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, image.rgb.data() + first,
                         image.rgb.size() - first, row)) {
    broken(kKind, "its pixels cannot be decoded");
  }
  return oriented(std::move(image),
                  orientation(chunk(demuxer.get(), "EXIF"), chunk(demuxer.get(), "XMP ")));
}

}  // namespace reel::media
