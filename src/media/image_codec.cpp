#include "reel/media/image_codec.h"

#include <fmt/format.h>

#include "libav.h"
#include "metadata.h"
#include "reel/base/error.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace reel::media {
namespace {

const char* encoder_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::Png:
      return "png";
    case ImageFormat::Jpeg:
      return "mjpeg";
    case ImageFormat::Webp:
      break;
  }
  return "libwebp";
}

AVPixelFormat pixel_format(ImageFormat format) {
  switch (format) {
    case ImageFormat::Png:
      return AV_PIX_FMT_RGB24;
    case ImageFormat::Jpeg:
      return AV_PIX_FMT_YUVJ444P;
    case ImageFormat::Webp:
      break;
  }
  return AV_PIX_FMT_YUV420P;
}

}  // namespace

std::string_view extension(ImageFormat format) {
  switch (format) {
    case ImageFormat::Png:
      return "png";
    case ImageFormat::Jpeg:
      return "jpg";
    case ImageFormat::Webp:
      break;
  }
  return "webp";
}

std::string_view content_type(ImageFormat format) {
  switch (format) {
    case ImageFormat::Png:
      return "image/png";
    case ImageFormat::Jpeg:
      return "image/jpeg";
    case ImageFormat::Webp:
      break;
  }
  return "image/webp";
}

std::string encode_image(const gen::Image& image, ImageFormat format, const ImageOptions& options) {
  const char* name = encoder_name(format);
  const AVCodec* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) {
    throw Error(ErrorCode::Unsupported,
                fmt::format("output_format: this FFmpeg has no encoder {}", name), "output_format");
  }
  const auto pixels = pixel_format(format);
  CodecPtr encoder(avcodec_alloc_context3(codec));
  encoder->width = image.width;
  encoder->height = image.height;
  encoder->pix_fmt = pixels;
  encoder->colorspace = pixels == AV_PIX_FMT_RGB24 ? AVCOL_SPC_RGB : AVCOL_SPC_BT470BG;  // BT.601
  encoder->color_range = format == ImageFormat::Webp ? AVCOL_RANGE_MPEG : AVCOL_RANGE_JPEG;
  encoder->sample_aspect_ratio = {1, 1};
  encoder->time_base = {1, 1};
  encoder->thread_count = 1;
  if (format == ImageFormat::Jpeg) {  // 2 is best, 31 worst
    encoder->flags |= AV_CODEC_FLAG_QSCALE;
    encoder->global_quality = FF_QP2LAMBDA * (2 + (100 - options.quality) * 29 / 100);
  } else if (format == ImageFormat::Webp) {
    av_opt_set_double(encoder->priv_data, "quality", options.quality, 0);
  }
  check(avcodec_open2(encoder.get(), codec, nullptr), name);

  const auto frame = make_frame(image.width, image.height, pixels);
  const Converter convert(*encoder);
  convert(image.rgb.data(), frame.get());
  frame->pts = 0;
  frame->quality = encoder->global_quality;

  const PacketPtr packet(av_packet_alloc());
  check(avcodec_send_frame(encoder.get(), frame.get()), name);
  check(avcodec_send_frame(encoder.get(), nullptr), name);
  check(avcodec_receive_packet(encoder.get(), packet.get()), name);
  const std::string file(reinterpret_cast<const char*>(packet->data),
                         static_cast<size_t>(packet->size));
  return with_metadata(file, format, {image.width, image.height}, options.metadata);
}

}  // namespace reel::media
