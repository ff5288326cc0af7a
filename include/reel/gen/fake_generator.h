#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/gen/generator.h"

namespace reel::gen {

/// How a FakeGenerator behaves. Times are in milliseconds.
struct FakeOptions {
  std::string name = "fake";  // served
  int load_ms = 0;
  int step_ms = 0;    // of one denoising step
  int decode_ms = 0;  // of one latent frame: four frames of video, the first one alone
  int steps = 4;      // the default
  int frames = 17;    // the default
  int width = 64, height = 48;
  int size_multiple = 16;
  int fps = 16;
  int slots = 1;
  int fail_step = 0;  // this step of every video fails; 0: none
  ErrorCode fail_with = ErrorCode::Internal;
  bool fail_load = false;
  Takes takes{};
};

/// True if a model path means the fake: "fake", or "fake:" and options.
bool is_fake(std::string_view model_path);

/// Reads "fake:step_ms=5,fail_step=3,fail_with=out_of_memory,image=optional,mask=required". The
/// keys are FakeOptions' and Takes' names; strength=1 means that one is taken. Throws
/// Error(InvalidArgument) with param "model-path".
FakeOptions parse_fake_options(std::string_view model_path);

/// A generator without a model: draws a square that moves over a coloured ground, both from the
/// seed and the first byte of an image, and keeps to every rule of Generator. It drives the server
/// half in tests.
class FakeGenerator final : public Generator {
 public:
  explicit FakeGenerator(const FakeOptions& options = {});

  const Description& describe() const override { return description_; }
  State state() const override;
  ResolvedRequest check(const VideoRequest& request) const override;
  int slots() const override { return options_.slots; }
  Outcome generate(const ResolvedRequest& request, int output, const Snapshot* snapshot,
                   FrameSink& sink, Control& control) override;

 private:
  FakeOptions options_;
  Description description_;
  Stopwatch since_start_;
};

}  // namespace reel::gen
