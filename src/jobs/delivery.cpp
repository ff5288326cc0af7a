#include "delivery.h"

#include <fmt/format.h>

#include <future>

#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::jobs {

/// The generator's end of one output: only hands over.
class Delivery::Sink final : public gen::FrameSink {
 public:
  Sink(std::shared_ptr<Delivery> delivery, int output)
      : delivery_(std::move(delivery)), output_(output) {}

  void begin(const gen::VideoFormat& format) override {
    stop_if_off();
    delivery_->post(0, [delivery = delivery_, output = output_, format] {
      delivery->open_file(output, format);
    });
  }

  void write(gen::Frames frames) override {
    stop_if_off();
    const size_t bytes = frames.rgb.size();
    // A task runs once, so it may give its frames away.
    delivery_->post(bytes, [delivery = delivery_, frames = std::move(frames)]() mutable {
      delivery->write(std::move(frames));
    });
  }

 private:
  void stop_if_off() const {
    if (!delivery_->is_off()) return;
    throw Error(ErrorCode::Cancelled, delivery_->job().id + ": its frames are wanted no more");
  }

  std::shared_ptr<Delivery> delivery_;
  int output_;
};

bool Delivery::is_off() const {
  if (taken_.cancel.cancelled()) return true;
  const std::lock_guard lock(mutex_);
  return error_.has_value();
}

void Delivery::give_up(JobError error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
}

std::unique_ptr<gen::FrameSink> Delivery::sink(int output) {
  return std::make_unique<Sink>(shared_from_this(), output);
}

void Delivery::finish_output() {
  post(0, [delivery = shared_from_this()] { delivery->close_file(); });
}

void Delivery::close(Result result, std::function<void(const Seconds&)> told,
                     std::function<void()> ended) {
  thread_.post(0, [delivery = shared_from_this(), result = std::move(result),
                   told = std::move(told), ended = std::move(ended)]() mutable {
    told(delivery->seconds_);
    delivery->settle(std::move(result));
    ended();
  });
}

void Delivery::post(size_t bytes, std::function<void()> work) {
  thread_.post(bytes, [this, work = std::move(work)] {
    if (is_off()) return;
    try {
      work();
    } catch (const Error& error) {
      give_up({std::string(job_error_code(error.code())), error.what()});
    } catch (const std::exception& error) {
      give_up({"generation_failed", error.what()});
    }
  });
}

void Delivery::open_file(int output, const gen::VideoFormat& format) {
  const Stopwatch watch;
  const JobSpec& spec = *job().spec;
  const std::string which = spec.request.num_outputs() == 1 ? "" : fmt::format("_{}", output);
  blob_name_ = fmt::format("{}{}.{}", job().id, which, file_extension(spec));
  part_ = blobs_.create(blob_name_);
  writer_ = make_writer_(*part_, spec, output);
  writer_->begin(format);
  frames_missing_ = format.frames;
  seconds_.encode += watch.seconds();
}

void Delivery::write(gen::Frames frames) {
  if (!writer_) throw Error(ErrorCode::Internal, "the generator gave frames before their format");
  const Stopwatch watch;
  frames_missing_ -= frames.count;
  writer_->write(std::move(frames));
  seconds_.encode += watch.seconds();
}

void Delivery::close_file() {
  if (!writer_ || frames_missing_ != 0) {
    throw Error(ErrorCode::Internal,
                fmt::format("the generator kept {} frames back", frames_missing_));
  }
  Stopwatch watch;
  const OutputWriter::Pictures pictures = writer_->finish();
  writer_.reset();
  seconds_.encode += watch.seconds();

  watch.restart();
  const std::string stem = blob_name_.substr(0, blob_name_.rfind('.'));
  Output& output = outputs_.emplace_back(blob_name_);  // named before any of its files is there
  if (!pictures.thumbnail.empty()) output.thumbnail = stem + "_thumbnail.webp";
  if (!pictures.spritesheet.empty()) output.spritesheet = stem + "_spritesheet.jpg";
  const auto keep = [this](const std::string& name, const std::string& bytes) {
    return std::async(std::launch::async, [this, &name, &bytes]() -> uint64_t {
      if (name.empty()) return 0;
      const auto part = blobs_.create(name);
      part->write(bytes);
      return part->commit();
    });
  };
  auto thumbnail = keep(output.thumbnail, pictures.thumbnail);  // the disk takes all at once
  auto spritesheet = keep(output.spritesheet, pictures.spritesheet);
  output.bytes = part_->commit();
  output.picture_bytes = thumbnail.get() + spritesheet.get();
  part_.reset();
  seconds_.store += watch.seconds();
}

void Delivery::settle(Result result) {
  writer_.reset();
  part_.reset();
  if (!is_off()) {
    result.outputs = outputs_;
    try {
      if (!jobs_.complete(job().id, std::move(result))) remove_files(blobs_, outputs_);
      return;
    } catch (const Error& error) {
      give_up({std::string(job_error_code(error.code())), error.what()});
    }
  }
  remove_files(blobs_, outputs_);
  const std::lock_guard lock(mutex_);
  if (!error_) return;  // cancelled, which the store knows
  try {
    jobs_.fail(job().id, *error_);
  } catch (const Error& error) {
    log::error("job.not_failed", {{"job", job().id}, {"why", error.what()}});
  }
}

}  // namespace reel::jobs
