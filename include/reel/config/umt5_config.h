#pragma once

#include <cstdint>

namespace reel::config {

/// `text_encoder/config.json` of a UMT5EncoderModel with feed_forward_proj "gated-gelu". Fields
/// keep transformers' names; the checkpoint has every one, the values here are UMT5-XXL's.
struct Umt5Config {
  int64_t vocab_size = 256384;
  int64_t d_model = 4096;
  int64_t d_kv = 64;
  int64_t d_ff = 10240;
  int64_t num_layers = 24;
  int64_t num_heads = 64;
  int64_t relative_attention_num_buckets = 32;
  int64_t relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;
};

}  // namespace reel::config
