#include "reel/gen/fake_generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "reel/gen/resolve.h"

namespace reel::gen {
namespace {

constexpr std::string_view kPrefix = "fake";
constexpr int kTemporal = 4;  // frames of video to one latent frame

void sleep_ms(int ms) {
  if (ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::InvalidArgument, "model-path: fake: " + what, "model-path");
}

ErrorCode parse_failure(std::string_view word) {
  if (word == "internal") return ErrorCode::Internal;
  if (word == "out_of_memory") return ErrorCode::OutOfMemory;
  if (word == "storage_full") return ErrorCode::StorageFull;
  refuse(
      fmt::format("fail_with: expected internal, out_of_memory or storage_full, got '{}'", word));
}

int parse_count(std::string_view key, std::string_view text, int low) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (fault != std::errc() || stop != end || value < low || value > 1'000'000) {
    refuse(fmt::format("{}: expected {} to 1000000, got '{}'", key, low, text));
  }
  return value;
}

Take parse_take(std::string_view key, std::string_view word) {
  if (word == "no") return Take::No;
  if (word == "optional") return Take::Optional;
  if (word == "required") return Take::Required;
  refuse(fmt::format("{}: expected no, optional or required, got '{}'", key, word));
}

bool set_taken(Takes& takes, std::string_view key, std::string_view value) {
  struct Taken {
    std::string_view key;
    Take Takes::*member;
  };
  static constexpr Taken kTaken[] = {{"image", &Takes::image},
                                     {"last_image", &Takes::last_image},
                                     {"video", &Takes::video},
                                     {"mask", &Takes::mask},
                                     {"reference_images", &Takes::reference_images}};
  for (const Taken& taken : kTaken) {
    if (key != taken.key) continue;
    takes.*taken.member = parse_take(key, value);
    return true;
  }
  if (key == "conditioning_layers") takes.conditioning_layers = parse_count(key, value, 0);
  if (key == "strength" && parse_count(key, value, 0) != 0) takes.strength = 0.8;
  return key == "conditioning_layers" || key == "strength";
}

void set_option(FakeOptions& options, std::string_view key, std::string_view value) {
  struct Number {
    std::string_view key;
    int FakeOptions::*member;
    int low;
  };
  static constexpr Number kNumbers[] = {
      {"load_ms", &FakeOptions::load_ms, 0},
      {"step_ms", &FakeOptions::step_ms, 0},
      {"decode_ms", &FakeOptions::decode_ms, 0},
      {"steps", &FakeOptions::steps, 1},
      {"frames", &FakeOptions::frames, 1},
      {"width", &FakeOptions::width, 1},
      {"height", &FakeOptions::height, 1},
      {"size_multiple", &FakeOptions::size_multiple, 1},
      {"fps", &FakeOptions::fps, 1},
      {"slots", &FakeOptions::slots, 1},
      {"fail_step", &FakeOptions::fail_step, 0},
  };
  if (key == "fail_with") {
    options.fail_with = parse_failure(value);
    return;
  }
  if (key == "fail_load") {
    options.fail_load = parse_count(key, value, 0) != 0;
    return;
  }
  if (set_taken(options.takes, key, value)) return;
  std::string known =
      "fail_with, fail_load, image, last_image, video, mask, reference_images, "
      "conditioning_layers, strength";
  for (const Number& number : kNumbers) {
    if (key == number.key) {
      options.*number.member = parse_count(key, value, number.low);
      return;
    }
    known += fmt::format(", {}", number.key);
  }
  refuse(fmt::format("'{}': expected one of {}", key, known));
}

Description described(const FakeOptions& options) {
  Description description;
  description.model = options.name;
  description.model_path = "fake";
  description.pipeline = "FakePipeline";
  description.takes = options.takes;
  description.task = options.takes.image == Take::No         ? "T2V"
                     : options.takes.image == Take::Optional ? "TI2V"
                                                             : "I2V";
  description.dit_precision = description.vae_precision = "fp32";
  description.device = "cpu";
  description.size = {options.width, options.height};
  description.sizes = {description.size};
  description.size_multiple = options.size_multiple;
  description.num_frames = options.frames;
  description.fps = options.fps;
  description.num_inference_steps = options.steps;
  return description;
}

/// Where something that goes `speed` pixels a frame is after `frame` frames, between two walls.
int bounce(uint64_t start, uint64_t speed, int frame, int room) {
  if (room <= 0) return 0;
  const auto period = 2 * static_cast<uint64_t>(room);
  const uint64_t at = (start + speed * static_cast<uint64_t>(frame)) % period;
  return static_cast<int>(std::min(at, period - at));
}

/// Frame number `frame` of the video of `seed`, at `pixels`.
void draw(uint64_t seed, int frame, int width, int height, uint8_t* pixels) {
  // One round of splitmix64, so that neighbouring seeds look different.
  uint64_t mixed = (seed + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
  mixed ^= mixed >> 31;
  const int side = std::max(1, std::min(width, height) / 3);
  const int left = bounce(mixed & 255, 1 + (mixed >> 8 & 3), frame, width - side);
  const int top = bounce(mixed >> 16 & 255, 1 + (mixed >> 24 & 3), frame, height - side);
  const auto hue = static_cast<int>(mixed >> 32 & 255);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside = x >= left && x < left + side && y >= top && y < top + side;
      *pixels++ = static_cast<uint8_t>(inside ? 255 - hue : 255 * x / width);
      *pixels++ = static_cast<uint8_t>(inside ? hue : 255 * y / height);
      *pixels++ = static_cast<uint8_t>(inside ? 255 : hue);
    }
  }
}

Image small(uint64_t seed, const ResolvedRequest& request) {
  Image image{std::max(request.width / 8, 1), std::max(request.height / 8, 1), {}};
  image.rgb.resize(static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3);
  draw(seed, 0, image.width, image.height, image.rgb.data());
  return image;
}

}  // namespace

bool is_fake(std::string_view model_path) {
  return model_path == kPrefix || model_path.starts_with("fake:");
}

FakeOptions parse_fake_options(std::string_view model_path) {
  if (!is_fake(model_path)) refuse(fmt::format("expected fake:key=value,…, got '{}'", model_path));
  FakeOptions options;
  model_path.remove_prefix(std::min(model_path.size(), kPrefix.size() + 1));
  while (!model_path.empty()) {
    const std::string_view item = model_path.substr(0, model_path.find(','));
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      refuse(fmt::format("expected key=value, got '{}'", item));
    }
    set_option(options, item.substr(0, equals), item.substr(equals + 1));
    model_path.remove_prefix(std::min(model_path.size(), item.size() + 1));
  }
  if (options.width % options.size_multiple != 0 || options.height % options.size_multiple != 0) {
    refuse(fmt::format("width, height: expected multiples of {}, got {}x{}", options.size_multiple,
                       options.width, options.height));
  }
  return options;
}

FakeGenerator::FakeGenerator(const FakeOptions& options)
    : options_(options), description_(described(options)) {}

State FakeGenerator::state() const {
  const double elapsed = since_start_.milliseconds();
  if (elapsed < options_.load_ms) {
    return {State::Phase::Loading, "transformer", elapsed / options_.load_ms, {}};
  }
  if (options_.fail_load) return {State::Phase::Failed, {}, 0, "the fake was told not to load"};
  return {State::Phase::Ready, {}, 1, {}};
}

ResolvedRequest FakeGenerator::check(const VideoRequest& request) const {
  return resolve(request, description_);
}

Outcome FakeGenerator::generate(const ResolvedRequest& request, int output,
                                const Snapshot* snapshot, FrameSink& sink, Control& control) {
  static const std::string kFingerprint = "fake/1";
  uint64_t seed = request.seeds.at(static_cast<size_t>(output));
  if (request.inputs.image) seed += request.inputs.image->content->rgb.at(0);
  int step = 0;
  if (snapshot != nullptr) {
    if (snapshot->fingerprint != kFingerprint) {
      throw Error(ErrorCode::Conflict, fmt::format("snapshot: expected one of {}, got {}",
                                                   kFingerprint, snapshot->fingerprint));
    }
    step = *static_cast<const int*>(snapshot->state.get());
  }

  Outcome outcome;
  control.report({Stage::TextEncoding, 0, 1});
  const Stopwatch denoising;
  const int steps = request.num_inference_steps;
  control.report({Stage::Denoising, step, steps});
  while (step < steps) {
    const Control::Ask ask = control.ask();
    if (ask == Control::Ask::Cancel) outcome.kind = Outcome::Kind::Cancelled;
    if (ask == Control::Ask::Pause) {
      outcome.kind = Outcome::Kind::Paused;
      outcome.snapshot = {kFingerprint, std::make_shared<const int>(step)};
      outcome.denoise_seconds = denoising.seconds();
    }
    if (outcome.kind != Outcome::Kind::Done) return outcome;
    sleep_ms(options_.step_ms);
    if (step + 1 == options_.fail_step) {
      throw Error(options_.fail_with,
                  fmt::format("the fake was told to fail at step {}", step + 1));
    }
    control.report({Stage::Denoising, ++step, steps});
    if (has_preview(request.preview_steps, step, steps)) control.preview(small(seed, request));
  }
  outcome.denoise_seconds = denoising.seconds();

  const Stopwatch decoding;
  sink.begin({request.width, request.height, request.fps, request.num_frames});
  const int chunks = (request.num_frames - 1) / kTemporal + 1;
  for (int chunk = 0, first = 0; chunk < chunks; ++chunk) {
    control.report({Stage::Decoding, chunk, chunks});
    if (control.ask() == Control::Ask::Cancel) {
      outcome.kind = Outcome::Kind::Cancelled;
      return outcome;
    }
    sleep_ms(options_.decode_ms);
    Frames frames{chunk == 0 ? 1 : kTemporal, request.width, request.height, {}};
    frames.rgb.resize(frames.frame_bytes() * static_cast<size_t>(frames.count));
    for (int i = 0; i < frames.count; ++i, ++first) {
      draw(seed, first, request.width, request.height,
           frames.rgb.data() + frames.frame_bytes() * static_cast<size_t>(i));
    }
    sink.write(std::move(frames));
  }
  control.report({Stage::Decoding, chunks, chunks});
  outcome.decode_seconds = decoding.seconds();
  return outcome;
}

}  // namespace reel::gen
