#include "condition.h"

#include <ATen/ATen.h>

#include <tuple>

#include "image_stage.h"
#include "reel/base/error.h"
#include "reel/pipeline/pictures.h"

// Facts: prepare_latents of Diffusers' WanImageToVideoPipeline and WanVideoToVideoPipeline,
// prepare_video_latents and prepare_masks of its WanVACEPipeline.

namespace reel::pipeline {
namespace {

gen::Size size_of(const gen::ResolvedRequest& request) { return {request.width, request.height}; }

/// [1, 3, 1, H, W] in -1…1.
at::Tensor pixels_of(const gen::ImageInput& input, const gen::ResolvedRequest& request) {
  return tensor_of(normalised(resized(*input.content, size_of(request)))).unsqueeze(0);
}

/// Some frames of a video.
struct Span {
  int first, count;
};

/// The frames of latent frame `i`.
Span span_of(int i, int64_t frames_of_latent) {
  const int count = static_cast<int>(frames_of_latent);
  return i == 0 ? Span{0, 1} : Span{(i - 1) * count + 1, count};
}

/// The first `count` frames of the input, in the request's size.
gen::Frames frames_of(const gen::VideoInput& input, int count,
                      const gen::ResolvedRequest& request) {
  const gen::Frames& video = *input.content;
  require(count <= video.count, input.field + ": frames beyond its end", input.field);
  const auto bytes = static_cast<size_t>(count) * video.frame_bytes();
  return resized(
      gen::Frames{count, video.width, video.height, {video.rgb.data(), video.rgb.data() + bytes}},
      size_of(request));
}

/// [1, 3, count, H, W] in -1…1.
at::Tensor pixels_of(const gen::Frames& video, Span span) {
  return tensor_of(normalised(video, span.first, span.count)).unsqueeze(0);
}

/// [1, 3, count, H, W] in 0…1.
at::Tensor mask_of(const gen::Frames& mask, Span span) {
  return tensor_of(mask_values(mask, span.first, span.count)).unsqueeze(0);
}

int latent_frames(const config::WanVaeConfig& config, const gen::ResolvedRequest& request) {
  return static_cast<int>((request.num_frames - 1) / config.scale_factor_temporal) + 1;
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

/// The same, normalised.
std::optional<at::Tensor> encode_normalised(const models::WanVaeEncoder& vae,
                                            const std::function<at::Tensor(int)>& part, int parts,
                                            bool tiled, const KeepOn& keep_on) {
  const auto encoded = encode(vae, part, parts, tiled, keep_on);
  if (!encoded) return std::nullopt;
  return vae.normalise(*encoded);
}

/// VACE's video and mask, if it has them, in the request's size.
struct Edit {
  std::optional<gen::Frames> video, mask;
};

/// Some frames of the video: what the mask keeps, or what is to be made anew, the rest grey.
at::Tensor masked(const Edit& edit, Span span, bool anew, gen::Size size) {
  if (!edit.video || (!edit.mask && !anew)) {
    return at::zeros({1, 3, span.count, size.height, size.width});
  }
  const at::Tensor pixels = pixels_of(*edit.video, span);
  if (!edit.mask) return pixels;
  const at::Tensor chosen = mask_of(*edit.mask, span) > 0.5;
  return pixels * (anew ? chosen : chosen.logical_not());
}

/// A channel for each place in a latent's pixels, [1, n · n, T, h, w] in 0…1: of the mask's red, at
/// the frame in the middle of each latent frame's share. As in Diffusers, frames of the mask beyond
/// the video's last latent frame, fewer than a whole one's, have a part in it.
at::Tensor folded_mask(const std::optional<gen::Frames>& mask, const config::WanVaeConfig& config,
                       const gen::ResolvedRequest& request) {
  const int64_t n = config.scale_factor_spatial, h = request.height / n, w = request.width / n;
  const int frames = latent_frames(config, request);
  if (!mask) return at::ones({1, n * n, frames, h, w});
  std::vector<at::Tensor> folded;
  for (int t = 0; t < frames; ++t) {
    const int middle = (2 * t + 1) * mask->count / (2 * frames);
    folded.push_back(mask_of(*mask, {middle, 1})[0][0][0]
                         .reshape({h, n, w, n})
                         .permute({1, 3, 0, 2})
                         .flatten(0, 1));
  }
  return at::stack(folded, 1).unsqueeze(0);
}

}  // namespace

std::optional<at::Tensor> image_channels(const models::WanVaeEncoder& vae,
                                         const config::WanVaeConfig& config,
                                         const gen::ResolvedRequest& request, bool tiled,
                                         const KeepOn& keep_on) {
  const auto& last = request.inputs.last_image;
  const auto span = config.scale_factor_temporal;  // frames of a latent frame
  const int parts = latent_frames(config, request);
  const at::Tensor first = pixels_of(*request.inputs.image, request);
  const auto part = [&](int i) {
    if (i == 0) return first;
    const at::Tensor grey = at::zeros({1, 3, span, request.height, request.width});
    if (last && i == parts - 1) {
      grey.narrow(2, span - 1, 1).copy_(pixels_of(*last, request));
    }
    return grey;
  };
  const auto latents = encode_normalised(vae, part, parts, tiled, keep_on);
  if (!latents) return std::nullopt;
  const at::Tensor mask =
      at::zeros({1, span, parts, latents->size(3), latents->size(4)}, latents->options());
  mask.select(2, 0).fill_(1);
  if (last) mask.select(2, parts - 1).select(1, span - 1).fill_(1);
  return at::cat({mask, *latents}, 1);
}

std::optional<at::Tensor> first_frame(const models::WanVaeEncoder& vae,
                                      const config::WanVaeConfig& /*config*/,
                                      const gen::ResolvedRequest& request, bool tiled,
                                      const KeepOn& keep_on) {
  return encode_normalised(
      vae, [&](int) { return pixels_of(*request.inputs.image, request); }, 1, tiled, keep_on);
}

std::optional<at::Tensor> video_latents(const models::WanVaeEncoder& vae,
                                        const config::WanVaeConfig& config,
                                        const gen::ResolvedRequest& request, bool tiled,
                                        const KeepOn& keep_on) {
  const gen::Frames video = frames_of(*request.inputs.video, request.num_frames, request);
  const auto part = [&](int i) {
    return pixels_of(video, span_of(i, config.scale_factor_temporal));
  };
  return encode_normalised(vae, part, latent_frames(config, request), tiled, keep_on);
}

std::optional<at::Tensor> vace_control(const models::WanVaeEncoder& vae,
                                       const config::WanVaeConfig& config,
                                       const gen::ResolvedRequest& request, bool tiled,
                                       const KeepOn& keep_on) {
  const auto& [video, mask] = std::tie(request.inputs.video, request.inputs.mask);
  Edit edit;
  if (video) edit.video = frames_of(*video, request.num_frames, request);
  if (mask) {
    const int all = mask->content->count;
    const bool longer = all > config.scale_factor_temporal * latent_frames(config, request);
    edit.mask = frames_of(*mask, longer ? request.num_frames : all, request);
  }
  const auto& references = request.inputs.reference_images;
  const int clips = 2 + static_cast<int>(references.size());
  int clip = 0;
  const auto latents_of = [&](const std::function<at::Tensor(int)>& part,
                              int parts) -> std::optional<at::Tensor> {
    const auto encoded = encode(vae, part, parts, tiled, [&](int done, int total) {
      return keep_on(clip * total + done, clips * total);
    });
    ++clip;
    if (!encoded) return std::nullopt;
    return vae.normalise(*encoded).to(encoded->scalar_type());
  };

  std::vector<at::Tensor> channels;
  for (const bool anew : {false, true}) {
    const auto latents = latents_of(
        [&](int i) {
          return masked(edit, span_of(i, config.scale_factor_temporal), anew, size_of(request));
        },
        latent_frames(config, request));
    if (!latents) return std::nullopt;
    channels.push_back(*latents);
  }
  channels.push_back(folded_mask(edit.mask, config, request).to(channels[0].device()));
  at::Tensor control = at::cat(channels, 1).to(at::kFloat);
  for (const auto& reference : references) {
    const auto latents = latents_of(
        [&](int) {
          return tensor_of(fitted(*reference.content, size_of(request),
                                  static_cast<int>(config.scale_factor_spatial)))
              .unsqueeze(0);
        },
        1);
    if (!latents) return std::nullopt;
    at::Tensor frame = at::zeros_like(control.narrow(2, 0, 1));
    frame.narrow(1, 0, latents->size(1)).copy_(*latents);
    control = at::cat({frame, control}, 2);
  }
  return control;
}

}  // namespace reel::pipeline
