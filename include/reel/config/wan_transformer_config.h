#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace reel::config {

/// `transformer/config.json` of a Wan model: Diffusers' `WanTransformer3DModel` or
/// `WanVACETransformer3DModel`, with their names and defaults.
struct WanTransformerConfig {
  std::array<int64_t, 3> patch_size{1, 2, 2};  // frames, rows, columns of the latents
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
  int64_t rope_max_seq_len = 1024;
  std::optional<int64_t> pos_embed_seq_len;
  std::vector<int64_t> vace_layers;  // that VACE's blocks add to, rising from 0; empty: no VACE
  int64_t vace_in_channels = 96;

  /// The width of the model.
  int64_t dim() const { return num_attention_heads * attention_head_dim; }

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Throws Error(BadModel) naming the file, the key, what was expected and what was found.
WanTransformerConfig read_wan_transformer_config(const std::filesystem::path& file);

}  // namespace reel::config
