#include <turbojpeg.h>

#include <cstring>
#include <memory>

#include "picture_file.h"

namespace reel::media {
namespace {

constexpr std::string_view kKind = "JPEG";

/// What stands before the first scan.
struct Header {
  int width = 0, height = 0, components = 0;
  std::string exif;  // of a long one's pieces
  std::string_view xmp;
};

Header read_header(std::string_view file) {
  using namespace std::string_view_literals;
  Header header;
  for (size_t at = 2;;) {
    at = file.find('\xff', at);
    if (at == file.npos || at + 1 >= file.size()) broken(kKind, "no picture in it");
    const auto marker = static_cast<uint8_t>(file[at + 1]);
    if (marker == 0xff) {  // padding
      ++at;
      continue;
    }
    at += 2;
    if (marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (marker == 0xda || marker == 0xd9) break;
    const size_t length = big_endian(piece(file, at, 2));
    const auto segment = piece(file, at + 2, length < 2 ? 0 : length - 2);
    if (length < 2 || segment.size() + 2 != length) broken(kKind, "a segment ends too early");
    const bool frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) {
      if (segment.size() < 6) broken(kKind, "a short frame header");
      if (segment[0] != 8) {
        throw Error(ErrorCode::Unsupported, "JPEG: only 8 bits a sample are read");
      }
      header.height = static_cast<int>(big_endian(segment.substr(1, 2)));
      header.width = static_cast<int>(big_endian(segment.substr(3, 2)));
      header.components = segment[5];
    } else if (marker == 0xe1 && segment.starts_with("Exif\0\0"sv)) {
      header.exif += header.exif.empty() ? segment : segment.substr(6);
    } else if (marker == 0xe1 && segment.starts_with("http://ns.adobe.com/xap/1.0/\0"sv)) {
      header.xmp = segment.substr(29);
    }
    at += length;
  }
  if (header.components == 0) broken(kKind, "no frame header");
  return header;
}

/// `inks`: C, M, Y, K of each pixel as Adobe writes them, 255 for none.
void cmyk_to_rgb(const uint8_t* inks, gen::Image& image) {
  for (size_t pixel = 0; pixel * 3 < image.rgb.size(); ++pixel) {
    const int white = inks[pixel * 4 + 3];
    for (size_t i = 0; i < 3; ++i) {
      const int product = (255 - inks[pixel * 4 + i]) * white + 128;
      image.rgb[pixel * 3 + i] = static_cast<uint8_t>(white - (((product >> 8) + product) >> 8));
    }
  }
}

struct Close {
  void operator()(void* decoder) const { tjDestroy(decoder); }
};

void decode(std::string_view file, const gen::Image& image, TJPF format, uint8_t* pixels) {
  const std::unique_ptr<void, Close> decoder(tjInitDecompress());
  if (!decoder) throw Error(ErrorCode::Internal, "JPEG: no decoder");
  const int code = tjDecompress2(decoder.get(), reinterpret_cast<const uint8_t*>(file.data()),
                                 file.size(), pixels, image.width, 0, image.height, format,
                                 TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
  if (code == 0) return;
  const std::string_view why = tjGetErrorStr2(decoder.get());
  const bool tolerable =
      tjGetErrorCode(decoder.get()) == TJERR_WARNING && why.find("Premature end") == why.npos;
  if (!tolerable) broken(kKind, why);
}

}  // namespace

gen::Image read_jpeg(std::string_view file, const PictureLimits& limits) {
  const Header header = read_header(file);
  auto image = blank_image(kKind, header.width, header.height, limits);
  if (header.components == 4) {
    std::vector<uint8_t> inks(image.rgb.size() / 3 * 4);
    decode(file, image, TJPF_CMYK, inks.data());
    cmyk_to_rgb(inks.data(), image);
  } else {
    decode(file, image, TJPF_RGB, image.rgb.data());
  }
  return oriented(std::move(image), orientation(header.exif, header.xmp));
}

}  // namespace reel::media
