#include "condition.h"

#include <ATen/ATen.h>

#include "image_stage.h"
#include "reel/pipeline/pictures.h"

// Facts: prepare_latents of Diffusers' WanImageToVideoPipeline.

namespace reel::pipeline {
namespace {

/// [1, 3, 1, H, W] in -1…1.
at::Tensor pixels_of(const gen::ImageInput& input, const gen::ResolvedRequest& request) {
  return tensor_of(normalised(resized(*input.content, {request.width, request.height})))
      .unsqueeze(0);
}

/// Latents of a video that comes in parts: its first frame, then `scale_factor_temporal` at a time.
std::optional<at::Tensor> encode(const models::WanVaeEncoder& vae,
                                 const std::function<at::Tensor(int)>& part, int parts, bool tiled,
                                 const KeepOn& keep_on) {
  if (tiled) {
    std::vector<at::Tensor> video;
    for (int i = 0; i < parts; ++i) video.push_back(part(i));
    return vae.encode_tiled(at::cat(video, 2), {}, keep_on);
  }
  models::EncoderCache cache;
  std::vector<at::Tensor> latents;
  for (int i = 0; i < parts; ++i) {
    if (!keep_on(i, parts)) return std::nullopt;
    latents.push_back(vae.encode_part(part(i), cache));
  }
  return at::cat(latents, 2);
}

}  // namespace

std::optional<at::Tensor> image_channels(const models::WanVaeEncoder& vae,
                                         const config::WanVaeConfig& config,
                                         const gen::ResolvedRequest& request, bool tiled,
                                         const KeepOn& keep_on) {
  const auto& last = request.inputs.last_image;
  const auto span = config.scale_factor_temporal;  // frames of a latent frame
  const int parts = static_cast<int>((request.num_frames - 1) / span) + 1;
  const at::Tensor first = pixels_of(*request.inputs.image, request);
  const auto part = [&](int i) {
    if (i == 0) return first;
    const at::Tensor grey = at::zeros({1, 3, span, request.height, request.width});
    if (last && i == parts - 1) {
      grey.narrow(2, span - 1, 1).copy_(pixels_of(*last, request));
    }
    return grey;
  };
  const auto encoded = encode(vae, part, parts, tiled, keep_on);
  if (!encoded) return std::nullopt;
  const at::Tensor latents = vae.normalise(*encoded);
  const at::Tensor mask =
      at::zeros({1, span, parts, latents.size(3), latents.size(4)}, latents.options());
  mask.select(2, 0).fill_(1);
  if (last) mask.select(2, parts - 1).select(1, span - 1).fill_(1);
  return at::cat({mask, latents}, 1);
}

std::optional<at::Tensor> first_frame(const models::WanVaeEncoder& vae,
                                      const gen::ResolvedRequest& request, bool tiled,
                                      const KeepOn& keep_on) {
  const auto encoded = encode(
      vae, [&](int) { return pixels_of(*request.inputs.image, request); }, 1, tiled, keep_on);
  if (!encoded) return std::nullopt;
  return vae.normalise(*encoded);
}

}  // namespace reel::pipeline
