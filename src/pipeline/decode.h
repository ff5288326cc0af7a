#pragma once

#include "dump.h"
#include "reel/dist/group.h"
#include "reel/gen/generator.h"
#include "reel/models/wan_vae.h"

namespace reel::pipeline {

/// Bytes [n, H, W, 3], of any device.
gen::Frames to_frames(const at::Tensor& rgb_nHW3);

/// Latents to frames, handed to `sink` as they are ready: one latent frame at a time, or all at
/// the end when tiled. Asks `control` between latent frames; false if it said to cancel.
bool decode(const models::WanVaeDecoder& vae, const at::Tensor& latents_1CThw, bool tiled,
            gen::FrameSink& sink, gen::Control& control, dist::Group& group, Dump& dump);

}  // namespace reel::pipeline
