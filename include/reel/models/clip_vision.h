#pragma once

#include <ATen/core/Tensor.h>

#include <deque>

#include "reel/config/clip_vision_config.h"
#include "reel/nn/linear.h"
#include "reel/weights/checkpoint.h"
#include "reel/weights/param.h"

/// CLIP's image encoder up to what goes into its last layer, as transformers' CLIPVisionModel
/// computes it with SDPA attention. N pictures, I tokens of each, C hidden_size.
namespace reel::models {

struct ClipNorm {
  ClipNorm(const weights::ParamScope& scope, const config::ClipVisionConfig& config);

  at::Tensor operator()(const at::Tensor& x_NIC) const;

  const weights::Param &weight, &bias;
  double eps;
};

struct ClipLayer {
  ClipLayer(const weights::ParamScope& scope, const config::ClipVisionConfig& config);

  at::Tensor operator()(const at::Tensor& x_NIC) const;

  nn::Linear q, k, v, out, fc1, fc2;
  ClipNorm norm1, norm2;
  int64_t heads;
  bool quick;  // the activation: x·σ(1.702 x), else GELU
};

struct ClipVision {
  /// `scope` is the root of the image encoder's checkpoint.
  ClipVision(const weights::ParamScope& scope, const config::ClipVisionConfig& config);

  /// Normalised pixels [N, 3, image_size, image_size] -> hidden_states[-2], [N, I, C] in the
  /// compute dtype: a token for the whole, then one for each patch.
  at::Tensor operator()(const at::Tensor& pixels_N3HW) const;

  /// Names may lack their prefix "vision_model.", as transformers 5 writes them. What the last
  /// layer and what comes after it hold is not used.
  static weights::LoadOptions load_options(const weights::ParamSet& params,
                                           const config::ClipVisionConfig& config);

  config::ClipVisionConfig config;
  const weights::Param &class_embedding, &patch_weight, &position_embedding;
  ClipNorm pre_norm;
  std::deque<ClipLayer> layers;  // all but the last
};

}  // namespace reel::models
