#include <ATen/ATen.h>

#include <variant>

#include "blocks.h"
#include "latent_scale.h"
#include "reel/base/error.h"
#include "reel/models/wan_vae.h"
#include "tiles.h"

namespace reel::models {
namespace {

using namespace wan_vae;

/// A level of Wan2.2's encoder. Wan2.1's has the same layers in one flat list, and no shortcut.
struct DownBlock {
  DownBlock(const weights::ParamScope& scope, const config::WanVaeConfig& config, size_t level,
            int64_t in, int64_t out) {
    for (int64_t i = 0; i < config.num_res_blocks; ++i) {
      resnets.emplace_back(scope / "resnets" / i, i == 0 ? in : out, out);
    }
    if (level + 1 == config.dim_mult.size()) return;
    const bool in_time = config.temperal_downsample[level];
    downsample.emplace(scope / "downsampler", out, in_time);
    frames = in_time ? 2 : 1;
    space = 2;
  }

  at::Tensor operator()(const at::Tensor& x, HistoryCursor& histories) const {
    at::Tensor y = x;
    for (const ResidualBlock& resnet : resnets) y = resnet(y, histories);
    if (downsample) y = (*downsample)(y, histories);
    add_averaged(y, x, frames, space);
    return y;
  }

  std::vector<ResidualBlock> resnets;
  std::optional<Downsample> downsample;  // not after the last block
  int64_t frames = 1, space = 1;         // how many become one
};

using Layer = std::variant<ResidualBlock, Downsample, DownBlock>;

std::vector<Layer> layers_of(const weights::ParamScope& scope, const config::WanVaeConfig& config) {
  if (!config.attn_scales.empty()) {
    throw Error(ErrorCode::Unsupported, "vae/config.json: attn_scales: expected none");
  }
  std::vector<Layer> layers;
  const auto next = [&] { return scope / static_cast<int64_t>(layers.size()); };
  int64_t in = config.base_dim;
  for (size_t level = 0; level < config.dim_mult.size(); ++level) {
    const int64_t out = config.base_dim * config.dim_mult[level];
    if (config.is_residual) {
      layers.emplace_back(DownBlock(next(), config, level, in, out));
    } else {
      for (int64_t i = 0; i < config.num_res_blocks; ++i) {
        layers.emplace_back(ResidualBlock(next(), i == 0 ? in : out, out));
      }
      if (level + 1 < config.dim_mult.size()) {
        layers.emplace_back(Downsample(next(), out, config.temperal_downsample[level]));
      }
    }
    in = out;
  }
  return layers;
}

}  // namespace

struct WanVaeEncoder::Network {
  Network(const weights::ParamScope& scope, const config::WanVaeConfig& config)
      : conv_in(scope / "encoder" / "conv_in", config.in_channels, config.base_dim, {3, 3, 3}),
        layers(layers_of(scope / "encoder" / "down_blocks", config)),
        mid(scope / "encoder" / "mid_block", config.base_dim * config.dim_mult.back()),
        head(scope / "encoder" / "norm_out", scope / "encoder" / "conv_out",
             config.base_dim * config.dim_mult.back(), 2 * config.z_dim),
        quant_conv(scope / "quant_conv", 2 * config.z_dim, 2 * config.z_dim, {1, 1, 1}) {}

  /// Means and log variances, [B, 2C, 1, h, w].
  at::Tensor operator()(const at::Tensor& patches, HistoryCursor& histories) const {
    at::Tensor x = conv_in(patches, histories.next());
    for (const Layer& layer : layers) {
      x = std::visit([&](const auto& l) { return l(x, histories); }, layer);
    }
    return quant_conv(head(mid(x, histories), histories));
  }

  nn::CausalConv3d conv_in;
  std::vector<Layer> layers;
  MidBlock mid;
  NormSiluConv head;
  nn::CausalConv3d quant_conv;
};

WanVaeEncoder::WanVaeEncoder(const weights::ParamScope& scope, const config::WanVaeConfig& config)
    : config_(config),
      device_(scope.set().device()),
      dtype_(scope.set().compute()),
      network_(std::make_unique<const Network>(scope, config)) {}

WanVaeEncoder::~WanVaeEncoder() = default;
WanVaeEncoder::WanVaeEncoder(WanVaeEncoder&&) noexcept = default;

at::Tensor WanVaeEncoder::normalise(const at::Tensor& latents) const {
  const at::Tensor x = latents.to(device_, at::kFloat);
  return (x - per_channel(config_.latents_mean, x.options())) *
         (1.0 / per_channel(config_.latents_std, x.options()));
}

/// [B, C, T, H, W] -> [B, C·p·p, T, H/p, W/p], the inverse of the decoder's unpatchify.
at::Tensor WanVaeEncoder::patches(const at::Tensor& x) const {
  const int64_t patch = config_.patch_size.value_or(1);
  const at::Tensor all = x.to(device_, dtype_);
  if (patch == 1) return all;
  return all.unflatten(4, {-1, patch})
      .unflatten(3, {-1, patch})       // B C T h r w q
      .permute({0, 1, 6, 4, 2, 3, 5})  // B C q r T h w
      .flatten(1, 3);
}

at::Tensor WanVaeEncoder::encode_patches(const at::Tensor& patches, EncoderCache& cache) const {
  HistoryCursor histories(cache.histories);
  return (*network_)(patches, histories).narrow(1, 0, config_.z_dim);
}

at::Tensor WanVaeEncoder::encode_part(const at::Tensor& x, EncoderCache& cache) const {
  return encode_patches(patches(x), cache);
}

std::optional<at::Tensor> WanVaeEncoder::encode(
    const at::Tensor& x, const std::function<bool(int, int)>& keep_on) const {
  return encode_tiled(x, {x.size(3), x.size(4), x.size(3), x.size(4)}, keep_on);
}

std::optional<at::Tensor> WanVaeEncoder::encode_tiled(
    const at::Tensor& x, const Tiling& tiling, const std::function<bool(int, int)>& keep_on) const {
  const int64_t pixels = config_.scale_factor_spatial, frames = config_.scale_factor_temporal;
  const Tiles tiles = tiles_of(x.size(3) / pixels, x.size(4) / pixels, tiling,
                               pixels / config_.patch_size.value_or(1),
                               x.size(3) <= tiling.height && x.size(4) <= tiling.width);
  const int64_t parts = 1 + (x.size(2) - 1) / frames;
  const int total = tiles.count() * static_cast<int>(parts);
  int done = 0;
  return stitched(tiles, /*scale=*/1, [&](const Area& area) -> std::optional<at::Tensor> {
    const at::Tensor seen = x.narrow(3, area.top * pixels, area.rows * pixels)
                                .narrow(4, area.left * pixels, area.columns * pixels);
    EncoderCache cache;
    std::vector<at::Tensor> latents;
    for (int64_t i = 0; i < parts; ++i) {
      if (!keep_on(done++, total)) return std::nullopt;
      const at::Tensor part =
          i == 0 ? seen.narrow(2, 0, 1) : seen.narrow(2, 1 + frames * (i - 1), frames);
      latents.push_back(encode_part(part, cache));
    }
    return at::cat(latents, 2);
  });
}

}  // namespace reel::models
