#include "libav.h"

#include <cstring>

#include "reel/base/error.h"

namespace reel::media {
namespace {

[[maybe_unused]] const bool quiet = (av_log_set_level(AV_LOG_FATAL), true);

}  // namespace

int check(int code, const std::string& what) {
  if (code >= 0) return code;
  char words[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, words, sizeof words);
  const auto kind = code == AVERROR(ENOSPC) || code == AVERROR(EDQUOT) || code == AVERROR(EFBIG)
                        ? ErrorCode::StorageFull
                        : ErrorCode::Internal;
  throw Error(kind, what + ": " + words);
}

FramePtr make_frame(int width, int height, AVPixelFormat format) {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw Error(ErrorCode::Internal, "frame: no memory");
  frame->width = width;
  frame->height = height;
  frame->format = format;
  check(av_frame_get_buffer(frame.get(), 0), "frame: no memory");
  return frame;
}

Converter::Converter(ScalerPtr scaler, int width, int height)
    : scaler_(std::move(scaler)), rgb_(make_frame(width, height, AV_PIX_FMT_RGB24)) {
  if (!scaler_) throw Error(ErrorCode::Unsupported, "swscale: no conversion from RGB");
}

Converter::Converter(int width, int height, int to_width, int to_height)
    : Converter(ScalerPtr(sws_getContext(width, height, AV_PIX_FMT_RGB24, to_width, to_height,
                                         AV_PIX_FMT_RGB24, SWS_AREA | SWS_ACCURATE_RND, nullptr,
                                         nullptr, nullptr)),
                width, height) {}

Converter::Converter(const AVCodecContext& encoder)
    : Converter(ScalerPtr(sws_getContext(encoder.width, encoder.height, AV_PIX_FMT_RGB24,
                                         encoder.width, encoder.height, encoder.pix_fmt,
                                         SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP,
                                         nullptr, nullptr, nullptr)),
                encoder.width, encoder.height) {
  const int* matrix = sws_getCoefficients(encoder.colorspace);
  const int full_range = encoder.color_range == AVCOL_RANGE_JPEG;
  sws_setColorspaceDetails(scaler_.get(), matrix, 1, matrix, full_range, 0, 1 << 16, 1 << 16);
}

void Converter::operator()(const uint8_t* rgb, AVFrame* frame) const {
  check(av_frame_make_writable(frame), "frame: no memory");
  const size_t row = static_cast<size_t>(rgb_->width) * 3;
  for (int y = 0; y < rgb_->height; ++y) {
    std::memcpy(rgb_->data[0] + static_cast<ptrdiff_t>(y) * rgb_->linesize[0],
                rgb + static_cast<size_t>(y) * row, row);
  }
  sws_scale(scaler_.get(), rgb_->data, rgb_->linesize, 0, rgb_->height, frame->data,
            frame->linesize);
}

}  // namespace reel::media
