#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

#include "reel/gen/video_request.h"
#include "reel/models/wan_vae.h"

namespace reel::pipeline {

/// What the transformer is given beside noise and text; undefined is what it has not.
struct Condition {
  at::Tensor views_NIC;       // the image encoder's, of one picture or two
  at::Tensor channels_1CThw;  // joined to the latents' own channels, fp32
  at::Tensor first_1C1hw;     // stands in for the first latent frame, at timestep 0; fp32
};

/// Asked while pictures are encoded, with how many latent frames are done of how many: false stops.
using KeepOn = std::function<bool(int, int)>;

/// Image to video: which frames are given (a mask, for each of a latent frame's frames), and the
/// latents of a video that is grey but for those. Nothing if it was stopped.
std::optional<at::Tensor> image_channels(const models::WanVaeEncoder& vae,
                                         const config::WanVaeConfig& config,
                                         const gen::ResolvedRequest& request, bool tiled,
                                         const KeepOn& keep_on);

/// The latent frame of the request's picture alone.
std::optional<at::Tensor> first_frame(const models::WanVaeEncoder& vae,
                                      const gen::ResolvedRequest& request, bool tiled,
                                      const KeepOn& keep_on);

}  // namespace reel::pipeline
