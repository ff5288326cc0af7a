#include "reel/config/clip_vision_config.h"

#include "bounds.h"
#include "reel/config/json_reader.h"

namespace reel::config {

std::vector<std::string> ClipVisionConfig::problems() const {
  std::vector<std::string> problems;
  const auto width = [&](std::string_view key, int64_t value) {
    expect_between(problems, key, value, int64_t{1}, kMaxWidth);
  };
  width("hidden_size", hidden_size);
  width("intermediate_size", intermediate_size);
  width("num_attention_heads", num_attention_heads);
  // What is used is what goes into the last layer.
  expect_between(problems, "num_hidden_layers", num_hidden_layers, int64_t{1}, kMaxLayers);
  if (num_channels != 3) {
    problems.push_back(fmt::format("num_channels: expected 3, got {}", num_channels));
  }
  expect_between(problems, "image_size", image_size, int64_t{1}, int64_t{4096});
  expect_between(problems, "patch_size", patch_size, int64_t{1}, image_size);
  if (hidden_act != "gelu" && hidden_act != "quick_gelu") {
    problems.push_back("hidden_act: expected gelu or quick_gelu, got " + hidden_act.substr(0, 80));
  }
  expect_between(problems, "layer_norm_eps", layer_norm_eps, 0.0, 1.0);
  if (problems.empty() && hidden_size % num_attention_heads != 0) {
    problems.push_back(fmt::format("hidden_size: expected a multiple of the {} heads, got {}",
                                   num_attention_heads, hidden_size));
  }
  return problems;
}

ClipVisionConfig read_clip_vision_config(const std::filesystem::path& file) {
  const nlohmann::json object = read_json(file);
  JsonReader json(object, file.string());
  json.expect<std::string>("model_type", "clip_vision_model");
  ClipVisionConfig c;
  c.hidden_size = json.get("hidden_size", c.hidden_size);
  c.intermediate_size = json.get("intermediate_size", c.intermediate_size);
  c.num_hidden_layers = json.get("num_hidden_layers", c.num_hidden_layers);
  c.num_attention_heads = json.get("num_attention_heads", c.num_attention_heads);
  c.num_channels = json.get("num_channels", c.num_channels);
  c.image_size = json.get("image_size", c.image_size);
  c.patch_size = json.get("patch_size", c.patch_size);
  c.hidden_act = json.get("hidden_act", c.hidden_act);
  c.layer_norm_eps = json.get("layer_norm_eps", c.layer_norm_eps);
  // Training's, what comes after the layers that are used, and notes.
  json.ignore({"architectures", "attention_dropout", "dropout", "initializer_factor",
               "initializer_range", "projection_dim", "torch_dtype", "dtype",
               "transformers_version"});
  json.finish();
  json.check(c.problems());
  return c;
}

}  // namespace reel::config
