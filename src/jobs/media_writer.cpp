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

/// A video's pictures, each encoded beside the video as soon as its frames are there.
class PictureMaker {
 public:
  explicit PictureMaker(const gen::VideoFormat& format)
      : frames_missing_(format.frames), sheet_(format) {}

  void add(const gen::Frames& frames) {
    if (!thumbnail_.valid()) {
      thumbnail_ = std::async(std::launch::async, [image = first_of(frames)] {
        return encode_image(image, ImageFormat::Webp);
      });
    }
    sheet_.add(frames);
    frames_missing_ -= frames.count;
    if (frames_missing_ != 0) return;
    spritesheet_ = std::async(std::launch::async,
                              [this] { return encode_image(sheet_.picture(), ImageFormat::Jpeg); });
  }

  /// After the last frame.
  OutputWriter::Pictures get() { return {thumbnail_.get(), spritesheet_.get()}; }

 private:
  int frames_missing_;
  media::ContactSheet sheet_;
  std::future<std::string> thumbnail_, spritesheet_;  // the last read the sheet
};

class VideoWriter final : public OutputWriter {
 public:
  VideoWriter(const BlobPart& part, const JobSpec& spec, Metadata metadata, bool pictures)
      : encoder_(part.path(), {spec.quality, std::move(metadata)}), wanted_(pictures) {}

  void begin(const gen::VideoFormat& format) override {
    encoder_.begin(format);
    if (wanted_) pictures_.emplace(format);
  }

  void write(gen::Frames frames) override {
    if (pictures_) pictures_->add(frames);
    encoder_.write(std::move(frames));
  }

  Pictures finish() override {
    encoder_.finish();
    return pictures_ ? pictures_->get() : Pictures{};
  }

 private:
  media::VideoEncoder encoder_;
  bool wanted_;
  std::optional<PictureMaker> pictures_;
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
