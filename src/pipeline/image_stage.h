#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <vector>

#include "reel/gen/frames.h"
#include "reel/models/clip_vision.h"
#include "reel/pipeline/pictures.h"

namespace reel::pipeline {

/// From pictures as they were given to what the transformer reads of them.
class ImageStage {
 public:
  /// Throws Error(BadModel).
  ImageStage(const std::filesystem::path& encoder_folder,
             const std::filesystem::path& processor_folder, at::Device device,
             at::ScalarType dtype);

  weights::ParamSet& params() { return params_; }
  weights::LoadOptions load_options() const {
    return models::ClipVision::load_options(params_, encoder_.config);
  }
  int64_t width() const { return encoder_.config.hidden_size; }
  int64_t tokens() const { return encoder_.position_embedding.shape[0]; }

  /// [N, I, C]: I tokens for each of N pictures.
  at::Tensor encode(const std::vector<const gen::Image*>& images) const;

 private:
  weights::ParamSet params_;
  models::ClipVision encoder_;
  ClipPreprocessing preprocessing_;
};

/// [channels, frames, height, width], fp32 on the host.
at::Tensor tensor_of(const Planes& planes);

}  // namespace reel::pipeline
