#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace reel::config {

/// `vae/config.json` of a Wan model: Diffusers' `AutoencoderKLWan`, with its names and defaults.
struct WanVaeConfig {
  int64_t base_dim = 96;
  std::optional<int64_t> decoder_base_dim;  // none: base_dim
  int64_t z_dim = 16;
  std::vector<int64_t> dim_mult{1, 2, 4, 4};
  int64_t num_res_blocks = 2;
  std::vector<double> attn_scales;                           // of the encoder
  std::vector<bool> temperal_downsample{false, true, true};  // sic
  bool is_residual = false;                                  // the layout of Wan2.2's VAE
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::optional<int64_t> patch_size;
  int64_t scale_factor_temporal = 4;
  int64_t scale_factor_spatial = 8;
  std::vector<double> latents_mean{-0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,
                                   -0.1517, 1.5508,  0.4134,  -0.0715, 0.5517,  -0.3632,
                                   -0.1922, -0.9497, 0.2503,  -0.2921};
  std::vector<double> latents_std{2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
                                  3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160};

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Throws Error(BadModel) naming the file, the key, what was expected and what was found.
WanVaeConfig read_wan_vae_config(const std::filesystem::path& file);

}  // namespace reel::config
