#include "reel/media/video_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "libav.h"
#include "picture_file.h"
#include "reel/base/read_file.h"

extern "C" {
#include <libavutil/display.h>
}

namespace reel::media {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKind = "video";

/// libavformat's reader of a file in memory.
class Bytes {
 public:
  explicit Bytes(std::string_view file) : file_(file) {
    constexpr int kBuffer = 1 << 16;
    auto* buffer = static_cast<uint8_t*>(av_malloc(kBuffer));
    context_ = avio_alloc_context(buffer, kBuffer, 0, this, read, nullptr, seek);
  }
  ~Bytes() {
    if (context_ != nullptr) av_freep(&context_->buffer);
    avio_context_free(&context_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  AVIOContext* context() { return context_; }

 private:
  static int read(void* self, uint8_t* to, int size) {
    auto& [file, at, context] = *static_cast<Bytes*>(self);
    const auto some = piece(file, at, static_cast<size_t>(size));
    if (some.empty()) return AVERROR_EOF;
    std::memcpy(to, some.data(), some.size());
    at += some.size();
    return static_cast<int>(some.size());
  }

  static int64_t seek(void* self, int64_t offset, int whence) {
    auto& [file, at, context] = *static_cast<Bytes*>(self);
    const auto size = static_cast<int64_t>(file.size());
    if (whence == AVSEEK_SIZE) return size;
    const int64_t from = whence == SEEK_SET   ? 0
                         : whence == SEEK_END ? size
                                              : static_cast<int64_t>(at);
    if (offset < -from || offset > size - from) return AVERROR(EINVAL);
    at = static_cast<size_t>(from + offset);
    return from + offset;
  }

  std::string_view file_;
  size_t at_ = 0;
  AVIOContext* context_ = nullptr;
};

/// Reads this file and no other: no playlists, no protocols.
std::unique_ptr<AVFormatContext, Free> open(Bytes& bytes) {
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr) throw Error(ErrorCode::Internal, "video: no memory");
  format->pb = bytes.context();
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  format->format_whitelist = av_strdup("mov,matroska,avi");
  format->protocol_whitelist = av_strdup("none");
  if (avformat_open_input(&format, nullptr, nullptr, nullptr) < 0) {  // frees it
    throw Error(ErrorCode::Unsupported,
                "not a video in MP4, MOV, WebM, Matroska, AVI or GIF, nor a picture");
  }
  return std::unique_ptr<AVFormatContext, Free>(format);
}

/// As EXIF counts them.
int orientation_of(const AVStream& stream) {
  const uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
  if (matrix == nullptr) return 1;
  const double turn = -av_display_rotation_get(reinterpret_cast<const int32_t*>(matrix));
  if (std::isnan(turn)) return 1;
  switch ((static_cast<int>(std::lround(turn / 90)) % 4 + 4) % 4) {
    case 1:
      return 6;
    case 2:
      return 3;
    case 3:
      return 8;
  }
  return 1;
}

class Decoder {
 public:
  Decoder(const AVStream& stream, const VideoLimits& limits)
      : limits_(limits), orientation_(orientation_of(stream)), video_(kKind, limits) {
    check_size(kKind, stream.codecpar->width, stream.codecpar->height, limits.picture);
    const AVCodec* codec = avcodec_find_decoder(stream.codecpar->codec_id);
    if (codec == nullptr) {
      throw Error(ErrorCode::Unsupported, fmt::format("video: this FFmpeg has no decoder for {}",
                                                      avcodec_get_name(stream.codecpar->codec_id)));
    }
    codec_.reset(avcodec_alloc_context3(codec));
    check(avcodec_parameters_to_context(codec_.get(), stream.codecpar), "video");
    codec_->max_pixels = 2 * limits.picture.pixels;  // of what its codec pads it to
    codec_->thread_count = 1;
    if (avcodec_open2(codec_.get(), codec, nullptr) < 0) broken(kKind, "no decoder takes it");
  }

  /// Null at the end.
  void decode(const AVPacket* packet) {
    if (avcodec_send_packet(codec_.get(), packet) < 0) return broken(kKind, "a damaged frame");
    const FramePtr frame(av_frame_alloc());
    while (avcodec_receive_frame(codec_.get(), frame.get()) >= 0) add(*frame);
  }

  gen::Frames take() { return video_.take(); }

 private:
  void add(const AVFrame& frame) {
    auto image = blank_image(kKind, frame.width, frame.height, limits_.picture);
    const auto format = static_cast<AVPixelFormat>(frame.format);
    scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format,
                                       frame.width, frame.height, AV_PIX_FMT_RGB24, SWS_BICUBIC,
                                       nullptr, nullptr, nullptr));
    if (!scaler_) throw Error(ErrorCode::Unsupported, "video: pixels in a form that is not read");
    const int* matrix = sws_getCoefficients(frame.colorspace);
    sws_setColorspaceDetails(scaler_.get(), matrix, frame.color_range == AVCOL_RANGE_JPEG, matrix,
                             0, 0, 1 << 16, 1 << 16);
    const auto rgb = make_frame(frame.width, frame.height, AV_PIX_FMT_RGB24);
    sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rgb->data, rgb->linesize);
    const size_t row = static_cast<size_t>(frame.width) * 3;
    for (int y = 0; y < frame.height; ++y) {
      std::memcpy(&image.rgb[static_cast<size_t>(y) * row],
                  rgb->data[0] + static_cast<ptrdiff_t>(y) * rgb->linesize[0], row);
    }
    video_.add(oriented(std::move(image), orientation_));
  }

  const VideoLimits& limits_;
  const int orientation_;
  FrameCollector video_;
  CodecPtr codec_;
  ScalerPtr scaler_;
};

gen::Frames read_container(std::string_view file, const VideoLimits& limits) {
  Bytes bytes(file);
  const auto format = open(bytes);
  const int stream = av_find_best_stream(format.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (stream < 0) broken(kKind, "no pictures in it");
  Decoder decoder(*format->streams[stream], limits);
  const PacketPtr packet(av_packet_alloc());
  while (av_read_frame(format.get(), packet.get()) >= 0) {
    if (packet->stream_index == stream) decoder.decode(packet.get());
    av_packet_unref(packet.get());
  }
  decoder.decode(nullptr);
  return decoder.take();
}

bool is_picture(std::string_view file) {
  return file.starts_with("\xff\xd8\xff") || file.starts_with("\x89PNG") ||
         file.starts_with("BM") || (file.starts_with("RIFF") && piece(file, 8, 4) == "WEBP");
}

/// PNG or WebP.
bool is_animated(std::string_view picture) {
  constexpr size_t kFlags = 20;  // of a WebP's first chunk
  if (picture.starts_with("RIFF")) {
    return piece(picture, 12, 4) == "VP8X" && picture.size() > kFlags &&
           (static_cast<unsigned char>(picture[kFlags]) & 2) != 0;
  }
  return picture.starts_with("\x89PNG") && picture.find("acTL") < picture.find("IDAT");
}

gen::Frames one_frame(gen::Image image) {
  return {1, image.width, image.height, std::move(image.rgb)};
}

}  // namespace

void FrameCollector::add(const gen::Image& frame) {
  if (frames_.count == 0) {
    frames_.width = frame.width;
    frames_.height = frame.height;
  }
  if (frame.width != frames_.width || frame.height != frames_.height) {
    broken(kind_, "its frames are of different sizes");
  }
  const int64_t pixels = int64_t{frame.width} * frame.height * (frames_.count + 1);
  if (frames_.count >= limits_.frames || pixels > limits_.pixels) {
    throw Error(ErrorCode::TooLarge,
                fmt::format("{}: over {} frames of {}x{}: at most {} frames and {} million pixels "
                            "are read",
                            kind_, frames_.count, frame.width, frame.height, limits_.frames,
                            limits_.pixels / 1'000'000));
  }
  frames_.rgb.insert(frames_.rgb.end(), frame.rgb.begin(), frame.rgb.end());
  ++frames_.count;
}

gen::Frames FrameCollector::take() {
  if (frames_.count == 0) broken(kind_, "no pictures in it");
  return std::move(frames_);
}

gen::Frames decode_video(std::string_view file, const VideoLimits& limits) {
  if (file.size() > limits.picture.bytes) {
    throw Error(ErrorCode::TooLarge, fmt::format("a video of {} bytes, at most {} are read",
                                                 file.size(), limits.picture.bytes));
  }
  if (file.starts_with("GIF8")) return read_gif_video(file, limits);
  if (!is_picture(file)) return read_container(file, limits);
  if (is_animated(file)) {
    throw Error(
        ErrorCode::Unsupported,
        "an animated PNG or WebP: expected a video in MP4, MOV, WebM, Matroska, AVI or GIF");
  }
  return one_frame(decode_image(file, limits.picture));
}

gen::Frames read_frames(const fs::path& folder, const VideoLimits& limits) {
  std::vector<fs::path> files;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(folder, fault)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  FrameCollector video("folder of frames", limits);
  for (const fs::path& path : files) {
    const auto file = read_file(path, limits.picture.bytes, ErrorCode::InvalidArgument);
    video.add(decode_image(file, limits.picture));
  }
  return video.take();
}

}  // namespace reel::media
