#include <ATen/ATen.h>

#include "blocks.h"
#include "latent_scale.h"
#include "reel/models/wan_vae.h"
#include "tiles.h"

namespace reel::models {
namespace {

using namespace wan_vae;

/// Whether the upsampling after block `level` doubles frames too.
bool doubles_frames(const config::WanVaeConfig& config, size_t level) {
  const auto& downsample = config.temperal_downsample;  // the encoder's order
  return level < downsample.size() && downsample[downsample.size() - 1 - level];
}

struct UpBlock {
  UpBlock(const weights::ParamScope& scope, const config::WanVaeConfig& config, size_t level,
          int64_t in, int64_t out)
      : frames(doubles_frames(config, level) ? 2 : 1) {
    for (int64_t i = 0; i <= config.num_res_blocks; ++i) {
      resnets.emplace_back(scope / "resnets" / i, i == 0 ? in : out, out);
    }
    if (level + 1 == config.dim_mult.size()) return;
    with_shortcut = config.is_residual;
    if (config.is_residual) {
      upsample.emplace(scope / "upsampler", out, out, frames == 2);
    } else {
      upsample.emplace(scope / "upsamplers" / 0, out, out / 2, frames == 2);
    }
  }

  at::Tensor operator()(const at::Tensor& x, bool first, HistoryCursor& histories) const {
    at::Tensor y = x;
    for (const ResidualBlock& resnet : resnets) y = resnet(y, histories);
    if (upsample) y = (*upsample)(y, first, histories);
    if (with_shortcut) add_duplicated(y, x, frames, first);
    return y;
  }

  int64_t frames;  // of one
  std::vector<ResidualBlock> resnets;
  std::optional<Upsample> upsample;  // not after the last block
  bool with_shortcut = false;
};

/// [B, C·p·p, T, H/p, W/p] -> [B, C, T, H, W]; of a patch's channels those of one column are
/// neighbours.
at::Tensor unpatchify(const at::Tensor& x, int64_t patch) {
  return x
      .unflatten(1, {-1, patch, patch})  // B C q r T h w
      .permute({0, 1, 4, 5, 3, 6, 2})    // B C T h r w q
      .flatten(5, 6)
      .flatten(3, 4);
}

}  // namespace

struct WanVaeDecoder::Network {
  Network(const weights::ParamScope& scope, const config::WanVaeConfig& config)
      : post_quant_conv(scope / "post_quant_conv", config.z_dim, config.z_dim, {1, 1, 1}),
        conv_in(scope / "decoder" / "conv_in", config.z_dim, top_width(config), {3, 3, 3}),
        mid(scope / "decoder" / "mid_block", top_width(config)) {
    const weights::ParamScope decoder = scope / "decoder";
    int64_t in = top_width(config), out = in;
    for (size_t level = 0; level < config.dim_mult.size(); ++level) {
      out = base_width(config) * config.dim_mult[config.dim_mult.size() - 1 - level];
      blocks.emplace_back(decoder / "up_blocks" / static_cast<int64_t>(level), config, level, in,
                          out);
      in = config.is_residual ? out : out / 2;
    }
    head.emplace(decoder / "norm_out", decoder / "conv_out", out, config.out_channels);
  }

  at::Tensor operator()(const at::Tensor& z, bool first, HistoryCursor& histories) const {
    at::Tensor x = conv_in(post_quant_conv(z), histories.next());
    x = mid(x, histories);
    for (const UpBlock& block : blocks) x = block(x, first, histories);
    return (*head)(x, histories);
  }

  static int64_t base_width(const config::WanVaeConfig& config) {
    return config.decoder_base_dim.value_or(config.base_dim);
  }
  static int64_t top_width(const config::WanVaeConfig& config) {
    return base_width(config) * config.dim_mult.back();
  }

  nn::CausalConv3d post_quant_conv;
  nn::CausalConv3d conv_in;
  MidBlock mid;
  std::vector<UpBlock> blocks;
  std::optional<NormSiluConv> head;
};

WanVaeDecoder::WanVaeDecoder(const weights::ParamScope& scope, const config::WanVaeConfig& config)
    : config_(config), device_(scope.set().device()), dtype_(scope.set().compute()) {
  network_ = std::make_unique<const Network>(scope, config);
}

WanVaeDecoder::~WanVaeDecoder() = default;
WanVaeDecoder::WanVaeDecoder(WanVaeDecoder&&) noexcept = default;

at::Tensor WanVaeDecoder::denormalise(const at::Tensor& latents) const {
  const at::Tensor x = latents.to(device_, dtype_);
  const at::Tensor inverse = 1.0 / per_channel(config_.latents_std, x.options());
  return x / inverse + per_channel(config_.latents_mean, x.options());
}

at::Tensor WanVaeDecoder::decode_part(const at::Tensor& z, DecoderCache& cache) const {
  TORCH_CHECK(z.dim() == 5 && z.size(1) == config_.z_dim && z.size(2) == 1,
              "one latent frame at a time, got ", z.sizes());
  HistoryCursor histories(cache.histories);
  const bool first = cache.latent_frames++ == 0;
  return (*network_)(z.to(device_, dtype_), first, histories).to(at::kFloat);
}

at::Tensor WanVaeDecoder::finish(const at::Tensor& part) const {
  return (config_.patch_size ? unpatchify(part, *config_.patch_size) : part).clamp_(-1, 1);
}

at::Tensor WanVaeDecoder::decode_frame(const at::Tensor& z, DecoderCache& cache) const {
  return finish(decode_part(z, cache));
}

at::Tensor WanVaeDecoder::decode(const at::Tensor& z) const {
  DecoderCache cache;
  std::vector<at::Tensor> frames;
  for (int64_t t = 0; t < z.size(2); ++t) frames.push_back(decode_frame(z.narrow(2, t, 1), cache));
  return at::cat(frames, 2);
}

std::optional<at::Tensor> WanVaeDecoder::decode_tiled(
    const at::Tensor& z, const Tiling& tiling, const std::function<bool(int, int)>& keep_on) const {
  const int64_t pixels = config_.scale_factor_spatial;
  const Tiles tiles =
      tiles_of(z.size(3), z.size(4), tiling, pixels,
               z.size(3) * pixels <= tiling.height && z.size(4) * pixels <= tiling.width);
  const int total = tiles.count() * static_cast<int>(z.size(2));
  int done = 0;
  // The network's own pixels, before patches are taken apart.
  const int64_t scale = pixels / config_.patch_size.value_or(1);
  const auto whole = stitched(tiles, scale, [&](const Area& area) -> std::optional<at::Tensor> {
    const at::Tensor seen = z.narrow(3, area.top, area.rows).narrow(4, area.left, area.columns);
    DecoderCache cache;
    std::vector<at::Tensor> parts;
    for (int64_t t = 0; t < z.size(2); ++t) {
      if (!keep_on(done++, total)) return std::nullopt;
      parts.push_back(decode_part(seen.narrow(2, t, 1), cache));
    }
    return at::cat(parts, 2);
  });
  if (!whole) return std::nullopt;
  return finish(*whole);
}

bool wan_vae_encoder_only(std::string_view name) {
  return name.starts_with("encoder.") || name.starts_with("quant_conv.");
}

}  // namespace reel::models
