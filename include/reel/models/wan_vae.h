#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "reel/config/wan_vae_config.h"
#include "reel/weights/param.h"

namespace reel::models {

/// How far one video is encoded: a value, empty at first.
struct EncoderCache {
  std::vector<at::Tensor> histories;  // what each causal convolution remembers
};

/// How far one video is decoded: a value, empty at first. Steps may be taken on different devices
/// of one kind if `histories` are moved along.
struct DecoderCache {
  std::vector<at::Tensor> histories;  // the last two input frames of each causal convolution
  int64_t latent_frames = 0;          // decoded so far
};

/// Sizes in pixels; defaults are Diffusers'.
struct Tiling {
  int64_t height = 256;
  int64_t width = 256;
  int64_t stride_height = 192;
  int64_t stride_width = 192;
};

/// The decoder of AutoencoderKLWan: Wan2.1's (8 x 8 pixels a latent) and Wan2.2's (16 x 16).
///
/// Works in the dtype of its ParamSet; frames leave as fp32. B videos, C latent channels,
/// T frames, H W rows and columns of pixels, h w of latents.
class WanVaeDecoder {
 public:
  /// Declares `post_quant_conv.*` and `decoder.*`. `config` has no problems().
  WanVaeDecoder(const weights::ParamScope& scope, const config::WanVaeConfig& config);
  ~WanVaeDecoder();
  WanVaeDecoder(WanVaeDecoder&&) noexcept;

  /// What the transformer made -> what `decode_frame` takes: `x / (1 / std) + mean` in the
  /// decoder's dtype, written as Diffusers writes it.
  at::Tensor denormalise(const at::Tensor& latents_BCThw) const;

  /// The next latent frame z [B, C, 1, h, w] -> its frames [B, 3, n, H, W] in -1…1: one for the
  /// first latent frame, `scale_factor_temporal` for each later one.
  at::Tensor decode_frame(const at::Tensor& z_BCthw, DecoderCache& cache) const;

  /// All at once: z [B, C, T, h, w] -> [B, 3, (T - 1) · scale_factor_temporal + 1, H, W].
  at::Tensor decode(const at::Tensor& z_BCThw) const;

  /// As `decode`, in overlapping tiles that are blended: less memory, another result, since the
  /// middle's attention sees a tile only. A video that is no larger than a tile is decoded whole.
  /// `keep_on` is asked before each latent frame of each tile, with how many are done of how many;
  /// where it says no, nothing is returned. Throws Error(InvalidArgument) unless sizes and strides
  /// are multiples of a latent's pixels and no stride is larger than its size.
  std::optional<at::Tensor> decode_tiled(const at::Tensor& z_BCThw, const Tiling& tiling,
                                         const std::function<bool(int, int)>& keep_on) const;

 private:
  struct Network;

  // Before patches are taken apart and values clamped, as tiles must be blended.
  at::Tensor decode_part(const at::Tensor& z_BCthw, DecoderCache& cache) const;
  at::Tensor finish(const at::Tensor& parts_BCTHW) const;  // it may be done in place

  config::WanVaeConfig config_;
  at::Device device_;
  at::ScalarType dtype_;
  std::unique_ptr<const Network> network_;
};

/// The encoder that goes with it, to the mode of its distribution. Dtypes and letters are the
/// decoder's.
class WanVaeEncoder {
 public:
  /// Declares `encoder.*` and `quant_conv.*`. `config` has no problems(). Throws Error(Unsupported)
  /// if it asks for attention beside the middle's.
  WanVaeEncoder(const weights::ParamScope& scope, const config::WanVaeConfig& config);
  ~WanVaeEncoder();
  WanVaeEncoder(WanVaeEncoder&&) noexcept;

  /// The next frames x [B, 3, n, H, W] in -1…1 -> the next latent frame [B, C, 1, h, w]: one frame
  /// first, then `scale_factor_temporal` at a time. Sides are multiples of `scale_factor_spatial`.
  at::Tensor encode_part(const at::Tensor& x_BCTHW, EncoderCache& cache) const;

  /// All at once: x [B, 3, T, H, W] -> [B, C, (T - 1) / scale_factor_temporal + 1, h, w]; frames
  /// beyond that are not seen. In the encoder's dtype. `keep_on` as of decode_tiled.
  std::optional<at::Tensor> encode(const at::Tensor& x_BCTHW,
                                   const std::function<bool(int, int)>& keep_on) const;

  /// As `encode`, in overlapping tiles that are blended, unless the video is no larger than a tile.
  /// As in Diffusers, a tile's pixels are counted after patches have been taken together.
  std::optional<at::Tensor> encode_tiled(const at::Tensor& x_BCTHW, const Tiling& tiling,
                                         const std::function<bool(int, int)>& keep_on) const;

  /// What `encode` made -> what the transformer takes: `(x - mean) * (1 / std)` in fp32.
  at::Tensor normalise(const at::Tensor& latents_BCThw) const;

 private:
  struct Network;

  at::Tensor patches(const at::Tensor& x_BCTHW) const;
  at::Tensor encode_patches(const at::Tensor& x_BCTHW, EncoderCache& cache) const;

  config::WanVaeConfig config_;
  at::Device device_;
  at::ScalarType dtype_;
  std::unique_ptr<const Network> network_;
};

/// Names in a checkpoint that the decoder alone does not use: the encoder's.
bool wan_vae_encoder_only(std::string_view name);

/// Decoded frames of one video, x [3, n, H, W] in -1…1, as floats in 0…1 [n, H, W, 3].
at::Tensor unit_frames(const at::Tensor& x_CnHW);

/// The same as bytes, rounded as Diffusers does for PIL: the form in which frames leave the device.
at::Tensor rgb_frames(const at::Tensor& x_CnHW);

}  // namespace reel::models
