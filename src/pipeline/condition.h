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
  at::Tensor control_1CThw;   // VACE's, reference pictures first; fp32
  at::Tensor video_1CThw;     // latents that denoising begins from, with noise; fp32
};

/// Asked while pictures and videos are encoded, with how many latent frames are done of how many:
/// false stops.
using KeepOn = std::function<bool(int, int)>;

/// Image to video: which frames are given (a mask, for each of a latent frame's frames), and the
/// latents of a video that is grey but for those. Nothing if it was stopped.
std::optional<at::Tensor> image_channels(const models::WanVaeEncoder& vae,
                                         const config::WanVaeConfig& config,
                                         const gen::ResolvedRequest& request, bool tiled,
                                         const KeepOn& keep_on);

/// The latent frame of the request's picture alone.
std::optional<at::Tensor> first_frame(const models::WanVaeEncoder& vae,
                                      const config::WanVaeConfig& config,
                                      const gen::ResolvedRequest& request, bool tiled,
                                      const KeepOn& keep_on);

/// The request's video.
std::optional<at::Tensor> video_latents(const models::WanVaeEncoder& vae,
                                        const config::WanVaeConfig& config,
                                        const gen::ResolvedRequest& request, bool tiled,
                                        const KeepOn& keep_on);

/// VACE: latents of what the mask keeps of the video, and of what is to be made anew, with the mask
/// folded to a latent's size; before them each reference picture as a frame, the last one first. No
/// video: a grey one; no mask: all is made anew.
std::optional<at::Tensor> vace_control(const models::WanVaeEncoder& vae,
                                       const config::WanVaeConfig& config,
                                       const gen::ResolvedRequest& request, bool tiled,
                                       const KeepOn& keep_on);

}  // namespace reel::pipeline
