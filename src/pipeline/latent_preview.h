#pragma once

#include <ATen/core/Tensor.h>

#include "reel/models/wan_vae.h"

namespace reel::pipeline {

/// What latents will look like, one pixel for each, without decoding them: RGB as a linear map of
/// their channels, fitted once to what the VAE makes of noise.
class LatentPreview {
 public:
  /// `channels` of the latents that `vae` decodes, on `device`. Waits for the device.
  LatentPreview(const models::WanVaeDecoder& vae, int64_t channels, at::Device device);

  /// The middle one of the frames x [1, C, T, h, w] -> bytes [h, w, 3], on x's device, without
  /// waiting for it.
  at::Tensor rgb(const at::Tensor& latents_1CThw) const;

 private:
  at::Tensor weight_C3_, bias_3_;  // fp32; bytes
};

}  // namespace reel::pipeline
