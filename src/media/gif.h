#pragma once

#include <gif_lib.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "reel/media/image_decoder.h"

namespace reel::media {

using Colour = std::array<uint8_t, 3>;

/// One picture of a GIF: numbers of colours, and where they go.
struct GifFrame {
  int left = 0, top = 0, width = 0, height = 0;
  std::vector<uint8_t> indices;  // height * width
  std::array<Colour, 256> palette{};
  std::optional<uint8_t> transparent;  // the index that is not drawn
  int disposal = 0;                    // 0: none said, 1: keep, 2: clear, 3: as it was before
  int delay = 0;                       // hundredths of a second
};

/// Reads a GIF's pictures one by one.
class GifReader {
 public:
  GifReader(std::string_view file, const PictureLimits& limits);

  int width() const { return file_->SWidth; }
  int height() const { return file_->SHeight; }
  /// Of the file's palette.
  int background() const { return file_->SBackGroundColor; }
  bool has_palette() const { return file_->SColorMap != nullptr; }

  /// False at the end. Throws Error as decode_image does.
  bool next(GifFrame& frame);

 private:
  struct Close {
    void operator()(GifFileType* file) const { DGifCloseFile(file, nullptr); }
  };

  void read_extension(GifFrame& frame);
  void read_picture(GifFrame& frame);

  std::string_view rest_;
  PictureLimits limits_;
  std::unique_ptr<GifFileType, Close> file_;
};

/// The picture that a GIF begins with, as large as it or its first frame.
gen::Image first_picture(const GifReader& reader, const GifFrame& frame,
                         const PictureLimits& limits);

/// Fills the place of `frame` with one colour.
void fill(gen::Image& image, const GifFrame& frame, const Colour& colour);

/// Draws it without what is transparent.
void draw(gen::Image& image, const GifFrame& frame);

}  // namespace reel::media
