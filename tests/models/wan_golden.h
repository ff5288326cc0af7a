#pragma once

#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/config/wan_transformer_config.h"
#include "reel/nn/rope.h"

namespace reel::test {

/// The configuration that a golden of a transformer, a block or an attention was minted with.
inline config::WanTransformerConfig wan_config(const Golden& golden) {
  const auto json = nlohmann::json::parse(golden.metadata("config"));
  config::WanTransformerConfig c;
  c.num_attention_heads = json.contains("num_heads")
                              ? json["num_heads"].get<int64_t>()
                              : json.value("num_attention_heads", int64_t{3});
  c.attention_head_dim = json.contains("dim") ? json["dim"].get<int64_t>() / c.num_attention_heads
                                              : json.value("attention_head_dim", int64_t{12});
  c.in_channels = json.value("in_channels", c.in_channels);
  c.out_channels = json.value("out_channels", c.out_channels);
  c.text_dim = json.value("text_dim", json.value("text_embed_dim", c.text_dim));
  c.freq_dim = json.value("freq_dim", json.value("time_freq_dim", c.freq_dim));
  c.ffn_dim = json.value("ffn_dim", int64_t{28});
  c.num_layers = json.value("num_layers", int64_t{1});
  c.eps = json.value("eps", c.eps);
  const auto optional = [&](const char* key) {
    return json.contains(key) ? std::optional(json[key].get<int64_t>()) : std::nullopt;
  };
  c.image_dim = optional("image_dim");
  c.added_kv_proj_dim = optional("added_kv_proj_dim");
  c.pos_embed_seq_len = optional("pos_embed_seq_len");
  c.vace_layers = json.value("vace_layers", c.vace_layers);
  c.vace_in_channels = json.value("vace_in_channels", c.vace_in_channels);
  c.rope_max_seq_len = json.value("rope_max_seq_len", c.rope_max_seq_len);
  return c;
}

/// Diffusers' tables [1, S, 1, d], each value twice, as ours.
inline nn::Rope wan_rope(const Golden& golden) {
  const auto half = [&](const char* name) {
    const auto table = golden[name];
    return table.flatten(0, 2).slice(1, 0, table.size(-1), 2).contiguous();
  };
  return {half("in.cos"), half("in.sin")};
}

}  // namespace reel::test
