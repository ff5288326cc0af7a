#pragma once

#include <cstdint>

#include "reel/config/wan_transformer_config.h"
#include "reel/config/wan_vae_config.h"
#include "reel/gen/video_request.h"
#include "reel/pipeline/wan_pipeline.h"

namespace reel::pipeline {

/// What making a video takes of the device's memory at its peak, beside the weights: an estimate
/// from the configurations. On a CPU, with Wan2.1's true widths, 1.05 to 1.3 times what was
/// measured from 256 x 256 pixels on; a fixed part makes it more for less.
class MemoryNeed {
 public:
  /// Throws Error(BadModel) as the configurations' readers.
  MemoryNeed(const config::ModelFolder& folder, const Options& options);

  /// In bytes.
  uint64_t operator()(const gen::ResolvedRequest& request) const;

 private:
  double prompts(const gen::ResolvedRequest& request) const;  // kept until the last frame
  double denoising(const gen::ResolvedRequest& request) const;
  double decoding(const gen::ResolvedRequest& request) const;

  config::WanTransformerConfig transformer_;
  config::WanVaeConfig vae_;
  Options options_;
  int experts_;
};

}  // namespace reel::pipeline
