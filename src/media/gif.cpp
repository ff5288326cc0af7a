#include "gif.h"

#include <algorithm>
#include <cstring>

#include "picture_file.h"

namespace reel::media {
namespace {

constexpr std::string_view kKind = "GIF";

int read_some(GifFileType* file, GifByteType* to, int count) {
  auto& rest = *static_cast<std::string_view*>(file->UserData);
  const auto bytes = rest.substr(0, static_cast<size_t>(count));
  std::memcpy(to, bytes.data(), bytes.size());
  rest.remove_prefix(bytes.size());
  return static_cast<int>(bytes.size());
}

/// Of a palette that counts the greys up, or of none, all 256 greys; of another, black where it
/// ends.
std::array<Colour, 256> colours(const ColorMapObject* map) {
  std::array<Colour, 256> palette{}, greys;
  for (size_t i = 0; i < 256; ++i) greys[i].fill(static_cast<uint8_t>(i));
  if (map == nullptr) return greys;
  const auto count = static_cast<size_t>(std::clamp(map->ColorCount, 0, 256));
  for (size_t i = 0; i < count; ++i) {
    const GifColorType& colour = map->Colors[i];
    palette[i] = {colour.Red, colour.Green, colour.Blue};
  }
  return std::equal(greys.begin(), greys.begin() + static_cast<ptrdiff_t>(count), palette.begin())
             ? greys
             : palette;
}

/// giflib sets no error for some faults.
[[noreturn]] void broken_by(int error) {
  const char* words = GifErrorString(error);
  broken(kKind, words != nullptr ? words : "its parts do not fit together");
}

void check(const GifFileType& file, int code) {
  if (code == GIF_ERROR) broken_by(file.Error);
}

}  // namespace

GifReader::GifReader(std::string_view file, const PictureLimits& limits)
    : rest_(file), limits_(limits) {
  int error = 0;
  file_.reset(DGifOpen(&rest_, read_some, &error));
  if (!file_) broken_by(error);
}

bool GifReader::next(GifFrame& frame) {
  frame.transparent.reset();
  frame.disposal = frame.delay = 0;
  for (;;) {
    GifRecordType record{};
    if (rest_.empty()) return false;
    check(*file_, DGifGetRecordType(file_.get(), &record));
    if (record == TERMINATE_RECORD_TYPE) return false;
    if (record == EXTENSION_RECORD_TYPE) read_extension(frame);
    if (record == IMAGE_DESC_RECORD_TYPE) {
      read_picture(frame);
      return true;
    }
  }
}

void GifReader::read_extension(GifFrame& frame) {
  int code = 0;
  GifByteType* block = nullptr;
  check(*file_, DGifGetExtension(file_.get(), &code, &block));
  GraphicsControlBlock control{};
  if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr &&
      DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
    if (control.TransparentColor != NO_TRANSPARENT_COLOR) {
      frame.transparent = static_cast<uint8_t>(control.TransparentColor);
    }
    frame.disposal = control.DisposalMode;
    frame.delay = control.DelayTime;
  }
  while (block != nullptr) {
    check(*file_, DGifGetExtensionNext(file_.get(), &block));
  }
}

void GifReader::read_picture(GifFrame& frame) {
  check(*file_, DGifGetImageDesc(file_.get()));
  const GifImageDesc& place = file_->Image;
  frame.left = place.Left;
  frame.top = place.Top;
  frame.width = place.Width;
  frame.height = place.Height;
  frame.palette = colours(place.ColorMap ? place.ColorMap : file_->SColorMap);
  check_size(kKind, frame.width, frame.height, limits_);
  check_size(kKind, frame.left + frame.width, frame.top + frame.height, limits_);
  const auto row = static_cast<size_t>(frame.width);
  frame.indices.resize(row * static_cast<size_t>(frame.height));
  const auto read_row = [&](int y) {
    check(*file_,
          DGifGetLine(file_.get(), &frame.indices[static_cast<size_t>(y) * row], frame.width));
  };
  const auto read_rows = [&](int first, int step) {
    for (int y = first; y < frame.height; y += step) read_row(y);
  };
  if (!place.Interlace) return read_rows(0, 1);
  read_rows(0, 8);
  read_rows(4, 8);
  read_rows(2, 4);
  read_rows(1, 2);
}

namespace {

template <class ColourOf>
void for_each_pixel(gen::Image& image, const GifFrame& frame, const ColourOf& colour_of) {
  size_t at = 0;
  for (int y = frame.top; y < frame.top + frame.height; ++y) {
    size_t pixel = (static_cast<size_t>(y) * static_cast<size_t>(image.width) +
                    static_cast<size_t>(frame.left)) *
                   3;
    for (int x = 0; x < frame.width; ++x, ++at, pixel += 3) {
      if (const Colour* colour = colour_of(frame.indices[at])) {
        std::copy(colour->begin(), colour->end(), &image.rgb[pixel]);
      }
    }
  }
}

}  // namespace

void fill(gen::Image& image, const GifFrame& frame, const Colour& colour) {
  for_each_pixel(image, frame, [&](uint8_t) { return &colour; });
}

void draw(gen::Image& image, const GifFrame& frame) {
  for_each_pixel(image, frame, [&](uint8_t index) {
    return index == frame.transparent ? nullptr : &frame.palette[index];
  });
}

gen::Image first_picture(const GifReader& reader, const GifFrame& frame,
                         const PictureLimits& limits) {
  auto image = blank_image(kKind, std::max(reader.width(), frame.left + frame.width),
                           std::max(reader.height(), frame.top + frame.height), limits);
  const Colour around = frame.palette[frame.transparent.value_or(0)];
  for (size_t at = 0; at < image.rgb.size(); at += 3) {
    std::copy(around.begin(), around.end(), &image.rgb[at]);
  }
  draw(image, frame);  // what is transparent has the colour around
  return image;
}

gen::Image read_gif(std::string_view file, const PictureLimits& limits) {
  GifReader reader(file, limits);
  check_size(kKind, reader.width(), reader.height(), limits);
  GifFrame frame;
  if (!reader.next(frame)) broken(kKind, "no picture in it");
  return first_picture(reader, frame, limits);
}

}  // namespace reel::media
