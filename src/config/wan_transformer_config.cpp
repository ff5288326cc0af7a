#include "reel/config/wan_transformer_config.h"

#include <algorithm>
#include <functional>

#include "bounds.h"
#include "reel/config/json_reader.h"
#include "reel/config/model_index.h"

namespace reel::config {
namespace {

constexpr const char* kVace = "WanVACETransformer3DModel";

}  // namespace

std::vector<std::string> WanTransformerConfig::problems() const {
  std::vector<std::string> problems;
  const auto width = [&](std::string_view key, int64_t value) {
    expect_between(problems, key, value, int64_t{1}, kMaxWidth);
  };
  for (const int64_t side : patch_size) {
    expect_between(problems, "patch_size", side, int64_t{1}, int64_t{16});
  }
  width("num_attention_heads", num_attention_heads);
  // Rope splits a head into pairs, and those over frames, rows and columns.
  expect_between(problems, "attention_head_dim", attention_head_dim, int64_t{6}, int64_t{1024});
  if (attention_head_dim % 2 != 0) {
    problems.push_back(
        fmt::format("attention_head_dim: expected an even number, got {}", attention_head_dim));
  }
  width("in_channels", in_channels);
  width("out_channels", out_channels);
  width("text_dim", text_dim);
  expect_between(problems, "freq_dim", freq_dim, int64_t{2}, kMaxWidth);
  if (freq_dim % 2 != 0) {
    problems.push_back(fmt::format("freq_dim: expected an even number, got {}", freq_dim));
  }
  width("ffn_dim", ffn_dim);
  expect_between(problems, "num_layers", num_layers, int64_t{1}, kMaxLayers);
  if (qk_norm != "rms_norm_across_heads") {
    problems.push_back("qk_norm: expected rms_norm_across_heads, got " + qk_norm.substr(0, 80));
  }
  expect_between(problems, "eps", eps, 0.0, 1.0);
  if (image_dim) width("image_dim", *image_dim);
  if (added_kv_proj_dim) width("added_kv_proj_dim", *added_kv_proj_dim);
  if (problems.empty() && added_kv_proj_dim && *added_kv_proj_dim != dim()) {
    problems.push_back(fmt::format("added_kv_proj_dim: expected the width, {}, got {}", dim(),
                                   *added_kv_proj_dim));
  }
  width("rope_max_seq_len", rope_max_seq_len);
  if (pos_embed_seq_len) width("pos_embed_seq_len", *pos_embed_seq_len);
  width("vace_in_channels", vace_in_channels);
  if (vace_layers.empty()) return problems;
  if (vace_layers.front() != 0 || vace_layers.back() >= num_layers ||
      !std::is_sorted(vace_layers.begin(), vace_layers.end(), std::less_equal())) {
    problems.push_back(
        fmt::format("vace_layers: expected rising numbers from 0 to below {}", num_layers));
  }
  return problems;
}

WanTransformerConfig read_wan_transformer_config(const std::filesystem::path& file) {
  const nlohmann::json object = read_json(file);
  JsonReader json(object, file.string());
  WanTransformerConfig c;
  if (object.contains("_class_name") && object.at("_class_name") == kVace) {
    json.ignore({"_class_name"});
    c.vace_layers = json.get("vace_layers", std::vector<int64_t>{0, 5, 10, 15, 20, 25, 30, 35});
    if (c.vace_layers.empty()) json.fail("vace_layers", "is empty");
    c.vace_in_channels = json.get("vace_in_channels", c.vace_in_channels);
  } else {
    if (const auto name = json.get("_class_name", std::string()); !other_family(name).empty()) {
      json.fail("_class_name", other_family(name));
    }
    json.expect<std::string>("_class_name", "WanTransformer3DModel");
  }
  c.patch_size = json.get("patch_size", c.patch_size);
  c.num_attention_heads = json.get("num_attention_heads", c.num_attention_heads);
  c.attention_head_dim = json.get("attention_head_dim", c.attention_head_dim);
  c.in_channels = json.get("in_channels", c.in_channels);
  // Absent is the constructor's default; null is as many as go in.
  c.out_channels =
      json.get("out_channels", object.contains("out_channels") ? c.in_channels : c.out_channels);
  c.text_dim = json.get("text_dim", c.text_dim);
  c.freq_dim = json.get("freq_dim", c.freq_dim);
  c.ffn_dim = json.get("ffn_dim", c.ffn_dim);
  c.num_layers = json.get("num_layers", c.num_layers);
  c.cross_attn_norm = json.get("cross_attn_norm", c.cross_attn_norm);
  c.qk_norm = json.get("qk_norm", c.qk_norm);
  c.eps = json.get("eps", c.eps);
  c.image_dim = json.find<int64_t>("image_dim");
  c.added_kv_proj_dim = json.find<int64_t>("added_kv_proj_dim");
  c.rope_max_seq_len = json.get("rope_max_seq_len", c.rope_max_seq_len);
  c.pos_embed_seq_len = json.find<int64_t>("pos_embed_seq_len");
  // TurboWan's sparse attention with a linear one beside it, of which dense attention is the limit.
  const auto attention = json.get<std::string>("attention_type", "original");
  if (attention != "original" && attention != "sla" && attention != "sagesla") {
    json.fail("attention_type", "expected original, sla or sagesla, got " + attention);
  }
  json.ignore({"sla_topk"});
  json.finish();
  json.check(c.problems());
  return c;
}

}  // namespace reel::config
