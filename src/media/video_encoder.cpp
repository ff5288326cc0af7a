#include "reel/media/video_encoder.h"

#include <fmt/format.h>

#include <optional>

#include "libav.h"
#include "metadata.h"
#include "reel/base/error.h"

extern "C" {
#include <libavutil/cpu.h>
#include <libavutil/opt.h>
}

namespace reel::media {
namespace {

/// The first H.264 encoder in software that this FFmpeg was built with.
const AVCodec* find_h264() {
  for (const char* name : {"libx264", "libopenh264"}) {
    if (const AVCodec* codec = avcodec_find_encoder_by_name(name)) return codec;
  }
  throw Error(ErrorCode::Unsupported,
              "video: expected libavcodec with libx264 or libopenh264, found neither");
}

CodecPtr open_h264(const gen::VideoFormat& format, int quality, bool global_header) {
  const AVCodec* codec = find_h264();
  CodecPtr encoder(avcodec_alloc_context3(codec));
  encoder->width = format.width;
  encoder->height = format.height;
  encoder->pix_fmt = AV_PIX_FMT_YUV420P;
  encoder->time_base = {1, format.fps};
  encoder->framerate = {format.fps, 1};
  encoder->color_range = AVCOL_RANGE_MPEG;
  encoder->colorspace = AVCOL_SPC_BT709;
  encoder->color_primaries = AVCOL_PRI_BT709;
  encoder->color_trc = AVCOL_TRC_BT709;
  if (global_header) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;

  const int crf = static_cast<int>((1.0 - quality / 100.0) * 51);
  if (std::string_view(codec->name) == "libx264") {
    av_opt_set_int(encoder->priv_data, "crf", crf, 0);
    av_opt_set(encoder->priv_data, "preset", "veryfast", 0);
    // Little is left to encode after the last frame.
    std::string x264 = "rc-lookahead=4:sync-lookahead=0";
    // With AVX-512, x264 0.164 reads memory it never wrote: one video, now these bytes, now those.
    if ((av_get_cpu_flags() & AV_CPU_FLAG_AVX512) != 0) x264 += ":asm=avx2,fma3,bmi2";
    av_opt_set(encoder->priv_data, "x264-params", x264.c_str(), 0);
  } else {  // OpenH264 has no rate factor: about a tenth of a bit a pixel in the middle
    encoder->bit_rate = static_cast<int64_t>(format.width) * format.height * format.fps *
                        std::max(quality, 2) / 500;
  }
  check(avcodec_open2(encoder.get(), codec, nullptr), "video: H.264 encoder");
  return encoder;
}

struct CloseFile {
  void operator()(AVFormatContext* file) const {
    avio_closep(&file->pb);
    avformat_free_context(file);
  }
};

}  // namespace

struct VideoEncoder::Muxer {
  Muxer(const std::filesystem::path& path, const VideoOptions& options,
        const gen::VideoFormat& video)
      : format(video), what("video " + path.filename().string()) {
    AVFormatContext* made = nullptr;
    check(avformat_alloc_output_context2(&made, nullptr, "mp4", path.c_str()), what);
    file.reset(made);
    encoder = open_h264(format, options.quality, file->oformat->flags & AVFMT_GLOBALHEADER);
    stream = avformat_new_stream(file.get(), nullptr);
    stream->time_base = encoder->time_base;
    stream->avg_frame_rate = encoder->framerate;
    check(avcodec_parameters_from_context(stream->codecpar, encoder.get()), what);
    for (const auto& [key, value] : options.metadata) {
      av_dict_set(&file->metadata, key.c_str(), printable(value).c_str(), 0);
    }
    frame = make_frame(format.width, format.height, AV_PIX_FMT_YUV420P);
    converter.emplace(*encoder);
    packet.reset(av_packet_alloc());

    check(avio_open(&file->pb, path.c_str(), AVIO_FLAG_WRITE), what);
    AVDictionary* flags = nullptr;
    av_dict_set(&flags, "movflags", "+faststart+use_metadata_tags", 0);
    const int code = avformat_write_header(file.get(), &flags);
    av_dict_free(&flags);
    check(code, what);
  }
  /// Null ends the stream.
  void encode(AVFrame* picture) {
    check(avcodec_send_frame(encoder.get(), picture), what);
    for (;;) {
      const int code = avcodec_receive_packet(encoder.get(), packet.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code, what);
      packet->duration = 1;
      av_packet_rescale_ts(packet.get(), encoder->time_base, stream->time_base);
      packet->stream_index = stream->index;
      check(av_interleaved_write_frame(file.get(), packet.get()), what);
    }
  }

  void finish() {
    if (written != format.frames) {
      throw Error(ErrorCode::Internal,
                  fmt::format("{}: expected {} frames, got {}", what, format.frames, written));
    }
    encode(nullptr);
    check(av_write_trailer(file.get()), what);
    avio_flush(file->pb);
    check(file->pb->error, what);
    check(avio_closep(&file->pb), what);
  }

  gen::VideoFormat format;
  std::string what;
  int written = 0;
  std::unique_ptr<AVFormatContext, CloseFile> file;
  AVStream* stream = nullptr;  // the file's
  CodecPtr encoder;
  FramePtr frame;
  PacketPtr packet;
  std::optional<Converter> converter;
};

VideoEncoder::VideoEncoder(std::filesystem::path path, VideoOptions options)
    : path_(std::move(path)), options_(std::move(options)) {}

VideoEncoder::~VideoEncoder() = default;

void VideoEncoder::begin(const gen::VideoFormat& format) {
  require(format.width > 0 && format.height > 0 && format.width % 2 == 0 && format.height % 2 == 0,
          fmt::format("size: expected even width and height for H.264, got {}x{}", format.width,
                      format.height),
          "size");
  require(format.fps > 0, fmt::format("fps: expected a positive number, got {}", format.fps),
          "fps");
  muxer_ = std::make_unique<Muxer>(path_, options_, format);
}

void VideoEncoder::write(gen::Frames frames) {
  const auto& format = muxer_->format;
  if (frames.width != format.width || frames.height != format.height ||
      frames.rgb.size() != frames.frame_bytes() * static_cast<size_t>(frames.count)) {
    throw Error(ErrorCode::Internal,
                fmt::format("{}: frames of {}x{} in a video of {}x{}", muxer_->what, frames.width,
                            frames.height, format.width, format.height));
  }
  for (int i = 0; i < frames.count; ++i) {
    (*muxer_->converter)(frames.rgb.data() + frames.frame_bytes() * size_t(i), muxer_->frame.get());
    muxer_->frame->pts = muxer_->written++;
    muxer_->encode(muxer_->frame.get());
  }
}

void VideoEncoder::finish() {
  if (!muxer_) throw Error(ErrorCode::Internal, "video: finished before it began");
  muxer_->finish();
}

}  // namespace reel::media
