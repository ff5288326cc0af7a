#include "reel/jobs/media_writer.h"

#include <fmt/format.h>

#include "reel/media/image_codec.h"
#include "reel/media/video_encoder.h"

namespace reel::jobs {
namespace {

using media::Metadata;

Metadata metadata(const gen::ResolvedRequest& request, int output, const std::string& model) {
  return {{"prompt", request.prompt},
          {"model", model},
          {"seed", fmt::to_string(request.seeds.at(static_cast<size_t>(output)))},
          {"num_inference_steps", fmt::to_string(request.num_inference_steps)},
          {"guidance_scale", fmt::to_string(request.guidance_scale)},
          {"software", "reel " REEL_VERSION}};
}

class VideoWriter final : public OutputWriter {
 public:
  VideoWriter(const BlobPart& part, const JobSpec& spec, Metadata metadata)
      : encoder_(part.path(), {spec.quality, std::move(metadata)}) {}

  void begin(const gen::VideoFormat& format) override { encoder_.begin(format); }
  void write(gen::Frames frames) override { encoder_.write(std::move(frames)); }
  void finish() override { encoder_.finish(); }

 private:
  media::VideoEncoder encoder_;
};

/// The first frame as a picture.
class ImageWriter final : public OutputWriter {
 public:
  ImageWriter(BlobPart& part, const JobSpec& spec, Metadata metadata)
      : part_(part), format_(spec.image_format), options_{spec.quality, std::move(metadata)} {}

  void begin(const gen::VideoFormat&) override {}

  void write(gen::Frames frames) override {
    frames.rgb.resize(frames.frame_bytes());
    image_ = {frames.width, frames.height, std::move(frames.rgb)};
  }

  void finish() override { part_.write(media::encode_image(image_, format_, options_)); }

 private:
  BlobPart& part_;
  gen::ImageFormat format_;
  media::ImageOptions options_;
  gen::Image image_;
};

}  // namespace

OutputWriterFactory media_writers(std::string model) {
  return [model = std::move(model)](BlobPart& part, const JobSpec& spec,
                                    int output) -> std::unique_ptr<OutputWriter> {
    auto inside = metadata(spec.request, output, model);
    if (spec.kind == Kind::Image) {
      return std::make_unique<ImageWriter>(part, spec, std::move(inside));
    }
    return std::make_unique<VideoWriter>(part, spec, std::move(inside));
  };
}

}  // namespace reel::jobs
