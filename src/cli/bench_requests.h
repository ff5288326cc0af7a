#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flags.h"

namespace reel::cli {

/// What a benchmark asks for. What it does not say is the server's choice.
struct BenchRequest {
  std::string prompt;
  std::optional<int> width, height, num_frames, fps, num_inference_steps;

  /// How much work it is, beside another: blocks of 16×16 pixels × frames × steps, each 1 if
  /// unsaid.
  double work() const;
};

/// As many as `--num-prompts` says, in the order they are sent. Throws Error(InvalidArgument) that
/// names the flag.
std::vector<BenchRequest> bench_requests(const BenchFlags& flags);

}  // namespace reel::cli
