#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "reel/gen/frames.h"
#include "reel/media/metadata.h"

namespace reel::media {

struct VideoOptions {
  /// 0 … 100; the constant rate factor is (1 - quality/100) * 51, as SGLang's.
  int quality = 50;
  Metadata metadata;
};

/// Writes H.264 yuv420p (BT.709) into an MP4 that can be played while it loads.
///
/// Frames are encoded in the thread that writes them. The file is whole after finish(); if the
/// encoder dies before, the caller removes it.
class VideoEncoder final : public gen::FrameSink {
 public:
  VideoEncoder(std::filesystem::path path, VideoOptions options);
  ~VideoEncoder() override;

  /// Throws Error(InvalidArgument) for odd sizes (yuv420p has none; nothing is scaled here),
  /// Error(Unsupported) when the installed FFmpeg has no H.264 encoder, and Error(StorageFull).
  void begin(const gen::VideoFormat& format) override;
  void write(gen::Frames frames) override;

  /// Flushes and closes the file. Throws Error if frames are missing or the disk is full.
  void finish();

 private:
  struct Muxer;
  std::filesystem::path path_;
  VideoOptions options_;
  std::unique_ptr<Muxer> muxer_;
};

}  // namespace reel::media
