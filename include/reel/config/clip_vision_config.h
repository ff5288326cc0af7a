#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace reel::config {

/// `image_encoder/config.json`: transformers' `CLIPVisionConfig`, with its names and defaults.
struct ClipVisionConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t num_channels = 3;
  int64_t image_size = 224;
  int64_t patch_size = 32;
  std::string hidden_act = "quick_gelu";  // or "gelu"
  double layer_norm_eps = 1e-5;

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Throws Error(BadModel) naming the file, the key, what was expected and what was found.
ClipVisionConfig read_clip_vision_config(const std::filesystem::path& file);

}  // namespace reel::config
