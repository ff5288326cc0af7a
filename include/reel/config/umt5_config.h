#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace reel::config {

/// `text_encoder/config.json`: transformers' `UMT5Config`, with its names and defaults, as far as
/// the encoder needs it. Its feed-forward is always "gated-gelu" in the tanh form.
struct Umt5Config {
  int64_t vocab_size = 250112;
  int64_t d_model = 512;
  int64_t d_kv = 64;
  int64_t d_ff = 1024;
  int64_t num_layers = 8;
  int64_t num_heads = 6;
  int64_t relative_attention_num_buckets = 32;
  int64_t relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Throws Error(BadModel) naming the file, the key, what was expected and what was found.
Umt5Config read_umt5_config(const std::filesystem::path& file);

}  // namespace reel::config
