#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace reel::config {

/// `transformer/config.json`. Fields keep Diffusers' names and defaults.
struct WanTransformerConfig {
  std::array<int64_t, 3> patch_size = {1, 2, 2};  // frames, rows, columns of latents
  int64_t num_attention_heads = 40;
  int64_t attention_head_dim = 128;
  int64_t in_channels = 16;
  int64_t out_channels = 16;
  int64_t text_dim = 4096;
  int64_t freq_dim = 256;
  int64_t ffn_dim = 13824;
  int64_t num_layers = 40;
  bool cross_attn_norm = true;
  std::string qk_norm = "rms_norm_across_heads";
  double eps = 1e-6;
  std::optional<int64_t> image_dim;
  std::optional<int64_t> added_kv_proj_dim;
  int64_t rope_max_seq_len = 1024;  // the longest axis of a grid of patches
  std::optional<int64_t> pos_embed_seq_len;
};

}  // namespace reel::config
