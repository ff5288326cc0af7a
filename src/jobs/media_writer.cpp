#include "reel/jobs/media_writer.h"

#include <fmt/format.h>

#include <future>
#include <optional>

#include "reel/media/contact_sheet.h"
#include "reel/media/image_codec.h"
#include "reel/media/video_encoder.h"

namespace reel::jobs {
namespace {

using media::encode_image;
using media::ImageFormat;
using media::Metadata;

Metadata metadata(const gen::ResolvedRequest& request, int output, const std::string& model) {
  return {{"prompt", request.prompt},
          {"model", model},
          {"seed", fmt::to_string(request.seeds.at(static_cast<size_t>(output)))},
          {"num_inference_steps", fmt::to_string(request.num_inference_steps)},
          {"guidance_scale", fmt::to_string(request.guidance_scale)},
          {"software", "reel " REEL_VERSION}};
}

gen::Image first_of(const gen::Frames& frames) {
  const auto begin = frames.rgb.begin();
  return {
      frames.width, frames.height, {begin, begin + static_cast<ptrdiff_t>(frames.frame_bytes())}};
}

class VideoWriter final : public OutputWriter {
 public:
  VideoWriter(const BlobPart& part, const JobSpec& spec, Metadata metadata, bool pictures)
      : encoder_(part.path(), {spec.quality, std::move(metadata)}), wanted_(pictures) {}

  void begin(const gen::VideoFormat& format) override {
    encoder_.begin(format);
    if (wanted_) sheet_.emplace(format);
  }

  void write(gen::Frames frames) override {
    if (sheet_) {
      if (first_.rgb.empty()) first_ = first_of(frames);
      sheet_->add(frames);
    }
    encoder_.write(std::move(frames));
  }

  Pictures finish() override {
    std::future<Pictures> pictures;  // beside the end of the MP4
    if (sheet_) {
      pictures = std::async(std::launch::async, [this]() -> Pictures {
        return {encode_image(first_, ImageFormat::Webp),
                encode_image(sheet_->picture(), ImageFormat::Jpeg)};
      });
    }
    encoder_.finish();
    return sheet_ ? pictures.get() : Pictures{};
  }

 private:
  media::VideoEncoder encoder_;
  bool wanted_;
  gen::Image first_;
  std::optional<media::ContactSheet> sheet_;
};

/// The first frame as a picture.
class ImageWriter final : public OutputWriter {
 public:
  ImageWriter(BlobPart& part, const JobSpec& spec, Metadata metadata)
      : part_(part), format_(spec.image_format), options_{spec.quality, std::move(metadata)} {}

  void begin(const gen::VideoFormat&) override {}

  void write(gen::Frames frames) override { image_ = first_of(frames); }

  Pictures finish() override {
    part_.write(encode_image(image_, format_, options_));
    return {};
  }

 private:
  BlobPart& part_;
  gen::ImageFormat format_;
  media::ImageOptions options_;
  gen::Image image_;
};

}  // namespace

OutputWriterFactory media_writers(std::string model, bool pictures) {
  return [model = std::move(model), pictures](BlobPart& part, const JobSpec& spec,
                                              int output) -> std::unique_ptr<OutputWriter> {
    auto inside = metadata(spec.request, output, model);
    if (spec.kind == Kind::Image) {
      return std::make_unique<ImageWriter>(part, spec, std::move(inside));
    }
    return std::make_unique<VideoWriter>(part, spec, std::move(inside), pictures);
  };
}

}  // namespace reel::jobs
