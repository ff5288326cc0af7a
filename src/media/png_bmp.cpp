#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "libav.h"
#include "picture_file.h"

namespace reel::media {
namespace {

/// The one picture in `file`, in the decoder's own pixels.
FramePtr decode(std::string_view kind, AVCodecID id, std::string_view file) {
  const AVCodec* codec = avcodec_find_decoder(id);
  if (codec == nullptr) {
    throw Error(ErrorCode::Unsupported, fmt::format("{}: this FFmpeg cannot read it", kind));
  }
  const CodecPtr decoder(avcodec_alloc_context3(codec));
  decoder->thread_count = 1;
  decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
  check(avcodec_open2(decoder.get(), codec, nullptr), codec->name);
  const PacketPtr packet(av_packet_alloc());
  check(av_new_packet(packet.get(), static_cast<int>(file.size())), "packet: no memory");
  std::memcpy(packet->data, file.data(), file.size());
  FramePtr frame(av_frame_alloc());
  int code = avcodec_send_packet(decoder.get(), packet.get());
  if (code >= 0) code = avcodec_receive_frame(decoder.get(), frame.get());
  if (code < 0) broken(kind, "its pixels cannot be decoded");
  return frame;
}

/// `bits` of a number scaled to 8.
uint8_t scaled(uint32_t value, uint32_t shift, uint32_t bits) {
  const uint32_t most = (1u << bits) - 1;
  return static_cast<uint8_t>((value >> shift & most) * 255 / most);
}

/// A row of `width` pixels as 8-bit RGB: alpha is dropped, deep colours keep their upper byte,
/// deep greys are cut at 255, as Pillow does.
void to_rgb(const AVFrame& frame, const uint8_t* from, int width, uint8_t* to) {
  const auto each = [&](size_t bytes, auto&& colour) {
    for (int x = 0; x < width; ++x, from += bytes, to += 3) colour(from, to);
  };
  const auto pick = [&](size_t bytes, size_t red, size_t green, size_t blue) {
    each(bytes, [=](const uint8_t* pixel, uint8_t* rgb) {
      rgb[0] = pixel[red], rgb[1] = pixel[green], rgb[2] = pixel[blue];
    });
  };
  switch (frame.format) {
    case AV_PIX_FMT_GRAY8:
      return pick(1, 0, 0, 0);
    case AV_PIX_FMT_YA8:
      return pick(2, 0, 0, 0);
    case AV_PIX_FMT_YA16BE:
      return pick(4, 0, 0, 0);
    case AV_PIX_FMT_RGB24:
      return pick(3, 0, 1, 2);
    case AV_PIX_FMT_RGBA:
      return pick(4, 0, 1, 2);
    case AV_PIX_FMT_RGB48BE:
      return pick(6, 0, 2, 4);
    case AV_PIX_FMT_RGBA64BE:
      return pick(8, 0, 2, 4);
    case AV_PIX_FMT_BGR24:
      return pick(3, 2, 1, 0);
    case AV_PIX_FMT_BGRA:
    case AV_PIX_FMT_BGR0:
      return pick(4, 2, 1, 0);
    case AV_PIX_FMT_ABGR:
    case AV_PIX_FMT_0BGR:
      return pick(4, 3, 2, 1);
    case AV_PIX_FMT_RGB0:
      return pick(4, 0, 1, 2);
    case AV_PIX_FMT_GRAY16BE:
      return each(2, [](const uint8_t* pixel, uint8_t* rgb) {
        std::fill_n(rgb, 3, pixel[0] != 0 ? uint8_t{255} : pixel[1]);
      });
    case AV_PIX_FMT_PAL8:
      return each(1, [&](const uint8_t* pixel, uint8_t* rgb) {
        uint32_t colour = 0;
        std::memcpy(&colour, frame.data[1] + size_t{4} * *pixel, 4);
        for (int i = 0; i < 3; ++i) rgb[i] = static_cast<uint8_t>(colour >> (16 - 8 * i));
      });
    case AV_PIX_FMT_RGB555LE:
    case AV_PIX_FMT_RGB565LE: {
      const uint32_t greens = frame.format == AV_PIX_FMT_RGB565LE ? 6 : 5;
      return each(2, [=](const uint8_t* pixel, uint8_t* rgb) {
        const uint32_t value = pixel[0] | uint32_t{pixel[1]} << 8;
        rgb[0] = scaled(value, 5 + greens, 5);
        rgb[1] = scaled(value, 5, greens);
        rgb[2] = scaled(value, 0, 5);
      });
    }
    case AV_PIX_FMT_MONOBLACK:
      for (int x = 0; x < width; ++x, to += 3) {
        std::fill_n(to, 3, (from[x / 8] >> (7 - x % 8) & 1) != 0 ? uint8_t{255} : uint8_t{0});
      }
      return;
    default:
      throw Error(ErrorCode::Unsupported, "pixels in a form that is not read");
  }
}

gen::Image read(std::string_view kind, AVCodecID id, std::string_view file, int64_t width,
                int64_t height, const PictureLimits& limits) {
  check_size(kind, width, height, limits);
  const auto frame = decode(kind, id, file);
  if (frame->width != width || frame->height != height) broken(kind, "its size changes");
  auto image = blank_image(kind, width, height, limits);
  for (int y = 0; y < image.height; ++y) {
    to_rgb(*frame, frame->data[0] + static_cast<ptrdiff_t>(y) * frame->linesize[0], image.width,
           &image.rgb[static_cast<size_t>(y) * static_cast<size_t>(image.width) * 3]);
  }
  return image;
}

/// XMP in a PNG's text, if it is that and is not compressed.
std::string_view xmp_of(std::string_view text) {
  using namespace std::string_view_literals;
  constexpr auto kKeyword = "XML:com.adobe.xmp\0\0\0"sv;  // not compressed
  if (!text.starts_with(kKeyword)) return {};
  text.remove_prefix(kKeyword.size());
  for (int i = 0; i < 2; ++i) {  // language, and the keyword in it
    const size_t end = text.find('\0');
    if (end == text.npos) return {};
    text.remove_prefix(end + 1);
  }
  return text;
}

}  // namespace

gen::Image read_png(std::string_view file, const PictureLimits& limits) {
  constexpr std::string_view kKind = "PNG";
  if (piece(file, 12, 4) != "IHDR" || file.size() < 33) broken(kKind, "no header");
  const int64_t width = big_endian(file.substr(16, 4)), height = big_endian(file.substr(20, 4));
  check_size(kKind, width, height, limits);
  // Only what makes pixels is shown to the decoder.
  std::string pixels(file.substr(0, 8));
  std::string_view exif, xmp;
  for (size_t at = 8; at < file.size();) {
    const size_t length = big_endian(piece(file, at, 4));
    const auto chunk = piece(file, at, length + 12);
    if (chunk.size() != length + 12) broken(kKind, "it ends too early");
    const auto kind = chunk.substr(4, 4), data = chunk.substr(8, length);
    if (kind == "IHDR" || kind == "PLTE" || kind == "IDAT" || kind == "IEND") pixels += chunk;
    if (kind == "eXIf") exif = data;
    if (kind == "iTXt" && xmp.empty()) xmp = xmp_of(data);
    if (kind == "IEND") break;
    at += length + 12;
  }
  return oriented(read(kKind, AV_CODEC_ID_PNG, pixels, width, height, limits),
                  orientation(exif, xmp));
}

gen::Image read_bmp(std::string_view file, const PictureLimits& limits) {
  constexpr std::string_view kKind = "BMP";
  if (file.size() < 26) broken(kKind, "no header");
  const bool old = little_endian(file.substr(14, 4)) == 12;
  const auto number = [&](size_t at) { return little_endian(file.substr(at, old ? 2 : 4)); };
  const int64_t width = number(18);
  const int64_t height = old ? int64_t{number(20)} : std::abs(int64_t{int32_t(number(22))});
  return read(kKind, AV_CODEC_ID_BMP, file, width, height, limits);
}

}  // namespace reel::media
