#include "reel/pipeline/memory_need.h"

#include <c10/core/ScalarType.h>

#include <algorithm>

#include "reel/kernels/norms.h"
#include "reel/models/wan_vae.h"

// Bytes are counted in doubles: none of these products can overflow.

namespace reel::pipeline {
namespace {

constexpr double kFp32 = 4;

/// The text encoder's values, the tables of one request, the MP4 encoder, the allocator's holes.
constexpr double kOther = 256 << 20;

struct Latents {
  double frames, places;  // places of one frame
};

Latents latents_of(const gen::ResolvedRequest& request, gen::Size size,
                   const config::WanVaeConfig& vae) {
  const auto down = [](int pixels, int64_t by) { return static_cast<double>(pixels / by); };
  return {down(request.num_frames - 1, vae.scale_factor_temporal) + 1 +
              static_cast<double>(request.inputs.reference_images.size()),
          down(size.width, vae.scale_factor_spatial) * down(size.height, vae.scale_factor_spatial)};
}

}  // namespace

MemoryNeed::MemoryNeed(const config::ModelFolder& folder, const Options& options)
    : transformer_(
          config::read_wan_transformer_config(folder.component("transformer") / "config.json")),
      vae_(config::read_wan_vae_config(folder.component("vae") / "config.json")),
      options_(options),
      experts_(folder.index.has("transformer_2") ? 2 : 1) {}

uint64_t MemoryNeed::operator()(const gen::ResolvedRequest& request) const {
  return static_cast<uint64_t>(kOther + prompts(request) +
                               std::max(denoising(request), decoding(request)));
}

/// Keys and values of the cross-attention: of each layer, prompt and expert.
double MemoryNeed::prompts(const gen::ResolvedRequest& request) const {
  const double prompts = request.guidance_scale > 1 ? 2 : 1;
  return experts_ * prompts * static_cast<double>(transformer_.num_layers) * 2 *
         request.max_sequence_length * static_cast<double>(transformer_.dim()) *
         static_cast<double>(c10::elementSize(options_.dit));
}

/// Attention needs no scores of all tokens with all others: flash attention on every device.
double MemoryNeed::denoising(const gen::ResolvedRequest& request) const {
  const auto [frames, places] = latents_of(request, {request.width, request.height}, vae_);
  const auto& [pf, py, px] = transformer_.patch_size;
  const double tokens = frames * places / static_cast<double>(pf * py * px);
  const double width = static_cast<double>(transformer_.dim());
  // A block in its feed-forward: the stream before, between and after its parts, and the hidden
  // values, before GELU too where that is not fused. In its attention it holds less.
  const double hidden = std::max(static_cast<double>(transformer_.ffn_dim), 2 * width);
  const bool fused = options_.dit == (options_.device.is_cpu() ? c10::kFloat : c10::kBFloat16);
  const double value = static_cast<double>(c10::elementSize(options_.dit));  // bytes
  const double block = (6 * width + (fused ? 1 : 2) * hidden) * value;
  // Where no fused pass runs, norms are computed in fp32.
  const double norms = kernels::has_passes(options_.device, options_.dit) ? 0 : 4 * width * kFp32;
  // Latents, their velocities by each prompt, the scheduler's history, the noise.
  const double latents =
      8 * static_cast<double>(transformer_.in_channels) * frames * places * kFp32;
  // The first blocks' attention, kept for the other prompt.
  const double vace = static_cast<double>(transformer_.vace_layers.size());
  const double kept = request.guidance_scale > 1 ? (vace > 0 ? 2 : 1) * width * value : 0;
  // VACE: the control beside the stream, what each of its blocks says, and what they read.
  const double hints = vace > 0 ? (vace + 1) * width * value : 0;
  const double control =
      vace > 0 ? static_cast<double>(transformer_.vace_in_channels) * frames * places * kFp32 : 0;
  return tokens * (block + norms + kept + hints) + latents + control;
}

/// Level by level, as models::WanVaeDecoder goes: what its causal convolutions remember, and what
/// the widest step holds. The encoder, with a block less at each level and parts as short, takes
/// less.
double MemoryNeed::decoding(const gen::ResolvedRequest& request) const {
  const models::Tiling tile;
  gen::Size part{request.width, request.height};  // that is decoded at a time
  if (options_.vae_tiling) {
    part = {std::min(part.width, static_cast<int>(tile.width)),
            std::min(part.height, static_cast<int>(tile.height))};
  }
  auto [latent_frames, places] = latents_of(request, part, vae_);
  const double base = static_cast<double>(vae_.decoder_base_dim.value_or(vae_.base_dim));
  const auto& mult = vae_.dim_mult;
  const auto& temporal = vae_.temperal_downsample;      // the encoder's order
  const double remembered = latent_frames > 1 ? 2 : 1;  // frames

  double in = base * static_cast<double>(mult.back()), frames = 1;
  double history = remembered * places * in * 5;  // of conv_in and the middle's two blocks
  double widest = 0;
  for (size_t level = 0; level < mult.size(); ++level) {
    const double out = base * static_cast<double>(mult[mult.size() - 1 - level]);
    const double blocks = static_cast<double>(vae_.num_res_blocks) + 1;
    history += remembered * places * (in + (2 * blocks - 1) * out);
    // A residual block: what came into this level and into this block, what its first half made,
    // the window that a convolution reads, what it makes, and oneDNN's own; measured, not counted.
    widest = std::max(widest, places * (4 * frames * (in + out) + remembered * std::max(in, out)));
    in = vae_.is_residual ? out : out / 2;
    if (level + 1 == mult.size()) break;
    if (temporal[temporal.size() - 1 - level] && latent_frames > 1) {
      history += remembered * places * out;
      frames *= 2;
    }
    places *= 4;
    // Upsampling: what it reads, enlarged, and what it makes; a shortcut beside it.
    widest = std::max(widest, places * frames * (1.5 * out + (vae_.is_residual ? 2 : 1) * in));
  }
  history += remembered * places * base;
  const double bytes = static_cast<double>(c10::elementSize(options_.vae));
  const double frame = 3.0 * request.width * request.height * kFp32;
  // What is made of four frames; or the video, and two rows of its tiles or its patches.
  const double rows = 2 * static_cast<double>(tile.width) / static_cast<double>(tile.stride_width) *
                      part.height / request.height;
  const double made = options_.vae_tiling ? request.num_frames * (1 + std::max(rows, 1.0)) : 8;
  return (history + widest) * bytes + made * frame;
}

}  // namespace reel::pipeline
