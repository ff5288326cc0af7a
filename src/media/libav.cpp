#include "libav.h"

#include "reel/base/error.h"

namespace reel::media {

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

ScalerPtr make_converter(int width, int height, AVPixelFormat format, bool full_range) {
  ScalerPtr converter(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, format,
                                     SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nullptr,
                                     nullptr, nullptr));
  if (!converter) throw Error(ErrorCode::Unsupported, "swscale: no conversion from RGB");
  const int* bt709 = sws_getCoefficients(SWS_CS_ITU709);
  sws_setColorspaceDetails(converter.get(), bt709, 1, bt709, full_range ? 1 : 0, 0, 1 << 16,
                           1 << 16);
  return converter;
}

void convert(SwsContext* converter, const uint8_t* rgb, int width, int height, AVFrame* frame) {
  check(av_frame_make_writable(frame), "frame: no memory");
  const uint8_t* planes[] = {rgb};
  const int strides[] = {width * 3};
  sws_scale(converter, planes, strides, 0, height, frame->data, frame->linesize);
}

}  // namespace reel::media
