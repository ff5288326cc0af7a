#include "run_control.h"

#include <algorithm>

#include "reel/base/error.h"
#include "reel/base/log.h"
#include "reel/media/image_codec.h"

namespace reel::jobs {

namespace {

// About what the stages take of a video's time; the rest is decoding.
constexpr double kTextShare = 0.02, kDenoisingShare = 0.88;

}  // namespace

double fraction_done(const gen::Progress& progress, int output, int outputs) {
  struct Share {
    double first, size;
  };
  const auto [first, size] = [&]() -> Share {
    switch (progress.stage) {
      case gen::Stage::TextEncoding:
        return {0, kTextShare};
      case gen::Stage::Denoising:
        return {kTextShare, kDenoisingShare};
      case gen::Stage::Decoding:
        break;
    }
    return {kTextShare + kDenoisingShare, 1 - kTextShare - kDenoisingShare};
  }();
  const double stage_done =
      progress.steps > 0 ? std::clamp(double(progress.step) / progress.steps, 0.0, 1.0) : 0;
  return (output + first + size * stage_done) / outputs;
}

void RunControl::begin(int output, bool resumed, double seconds_before) {
  resumed_ = resumed;
  seconds_before_ = seconds_before;
  told_ = {.output = output, .percent = told_.percent};
  if (!resumed) previews_ = 0;
  since_begin_.restart();
}

gen::Control::Ask RunControl::ask() {
  if (delivery_.is_off()) return Ask::Cancel;
  const bool can_pause = told_.stage == gen::Stage::TextEncoding ||
                         (told_.stage == gen::Stage::Denoising && told_.step < told_.steps);
  const bool pauses =
      can_pause && !draining_.stop_requested() && jobs_.is_preempted(delivery_.job().id);
  return pauses ? Ask::Pause : Ask::GoOn;
}

void RunControl::report(const gen::Progress& progress) {
  if (resumed_ && progress.stage == gen::Stage::TextEncoding) return;  // it was further before
  const bool denoising = progress.stage == gen::Stage::Denoising;
  if (denoising && told_.stage == progress.stage) {
    if (progress.step == told_.step + 1) metrics_.step(since_step_.seconds());
    if (progress.step > first_step_) {
      const double step = since_first_step_.seconds() / (progress.step - first_step_);
      output_seconds_ = step * progress.steps / kDenoisingShare;
    }
  } else if (denoising) {
    first_step_ = progress.step;
    since_first_step_.restart();
  }
  since_step_.restart();

  const int outputs = delivery_.job().spec->request.num_outputs();
  const double done = fraction_done(progress, told_.output, outputs);
  const int percent = static_cast<int>(done * 99);  // 100 is for the finished file
  told_ = {progress.stage,
           told_.output,
           progress.step,
           progress.steps,
           std::max(told_.percent, percent),
           {}};
  if (progress.stage == gen::Stage::Decoding) {
    told_.eta_seconds = (seconds_before_ + since_begin_.seconds()) * (1 - done) / done;
  } else if (output_seconds_) {
    told_.eta_seconds = *output_seconds_ * outputs * (1 - done);
  }
  jobs_.progress(delivery_.job().id, told_);
}

void RunControl::preview(gen::Image image) {
  const JobSpec& spec = *delivery_.job().spec;
  const auto format = spec.kind == Kind::Video ? gen::ImageFormat::Webp : spec.image_format;
  try {
    JobProgress told = told_;
    told.preview = std::make_shared<const Preview>(
        Preview{format, media::encode_image(image, format), previews_++});
    jobs_.progress(delivery_.job().id, told);
  } catch (const Error& error) {  // no reason for the job to fail
    log::warning("job.no_preview", {{"job", delivery_.job().id}, {"why", error.what()}});
  }
}

}  // namespace reel::jobs
