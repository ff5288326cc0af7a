#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

namespace reel::media {

struct Free {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
using CodecPtr = std::unique_ptr<AVCodecContext, Free>;
using FramePtr = std::unique_ptr<AVFrame, Free>;
using PacketPtr = std::unique_ptr<AVPacket, Free>;
using ScalerPtr = std::unique_ptr<SwsContext, Free>;

/// Throws Error with FFmpeg's own words if `code` is an error: StorageFull for a full disk.
int check(int code, const std::string& what);

/// A frame with buffers of its own.
FramePtr make_frame(int width, int height, AVPixelFormat format);

/// RGB24 to another picture.
class Converter {
 public:
  /// To what `encoder` takes: its size, format, matrix (`colorspace`) and range.
  explicit Converter(const AVCodecContext& encoder);

  /// To RGB24 of another size, each pixel the mean of those it covers.
  Converter(int width, int height, int to_width, int to_height);

  /// Packed RGB rows into `frame`.
  void operator()(const uint8_t* rgb, AVFrame* frame) const;

 private:
  Converter(ScalerPtr scaler, int width, int height);

  ScalerPtr scaler_;
  FramePtr rgb_;  // swscale reads beyond a row's end: its rows have room for that
};

}  // namespace reel::media
