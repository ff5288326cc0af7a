#include "reel/jobs/media_writer.h"

#include <fmt/format.h>

#include "reel/media/image_codec.h"
#include "reel/media/video_encoder.h"

namespace reel::jobs {
namespace {

class VideoWriter final : public OutputWriter {
 public:
  VideoWriter(const BlobPart& part, const JobSpec& spec, int output)
      : encoder_(part.path(), {spec.quality, metadata(spec, output)}) {}

  void begin(const gen::VideoFormat& format) override { encoder_.begin(format); }
  void write(gen::Frames frames) override { encoder_.write(std::move(frames)); }
  void finish() override { encoder_.finish(); }

 private:
  static std::map<std::string, std::string> metadata(const JobSpec& spec, int output) {
    const gen::ResolvedRequest& request = spec.request;
    return {{"prompt", request.prompt},
            {"model", spec.model},
            {"seed", fmt::to_string(request.seeds.at(static_cast<size_t>(output)))},
            {"num_inference_steps", fmt::to_string(request.num_inference_steps)},
            {"guidance_scale", fmt::to_string(request.guidance_scale)}};
  }

  media::VideoEncoder encoder_;
};

/// The first frame as a picture.
class ImageWriter final : public OutputWriter {
 public:
  ImageWriter(BlobPart& part, const JobSpec& spec)
      : part_(part), format_(spec.image_format), quality_(spec.quality) {}

  void begin(const gen::VideoFormat&) override {}

  void write(gen::Frames frames) override {
    frames.rgb.resize(frames.frame_bytes());
    image_ = {frames.width, frames.height, std::move(frames.rgb)};
  }

  void finish() override { part_.write(media::encode_image(image_, format_, quality_)); }

 private:
  BlobPart& part_;
  gen::ImageFormat format_;
  int quality_;
  gen::Image image_;
};

}  // namespace

OutputWriterFactory media_writers() {
  return [](BlobPart& part, const JobSpec& spec, int output) -> std::unique_ptr<OutputWriter> {
    if (spec.kind == Kind::Image) return std::make_unique<ImageWriter>(part, spec);
    return std::make_unique<VideoWriter>(part, spec, output);
  };
}

}  // namespace reel::jobs
