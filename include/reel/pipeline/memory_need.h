#pragma once

#include <cstdint>

#include "reel/config/wan_transformer_config.h"
#include "reel/config/wan_vae_config.h"
#include "reel/gen/video_request.h"
#include "reel/pipeline/wan_pipeline.h"

namespace reel::pipeline {

/// What making a video takes of the device's memory at its peak, beside the weights: an estimate
/// from the configurations, meant to be too large rather than too small. Measured on a CPU with
/// Wan2.1's true widths: 1.1 to 1.2 times the peak where the VAE decides, from 256 x 256 pixels on
/// (1.0 to 1.2 in tiles), and 256 MB more than the peak of denoising alone.
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
