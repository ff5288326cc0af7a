#include "reel/models/clip_vision.h"

#include <nlohmann/json.hpp>

#include "golden.h"

namespace reel::models {
namespace {

config::ClipVisionConfig config_of(const test::Golden& golden, const std::string& form) {
  const auto json = nlohmann::json::parse(golden.metadata("config")).at(form);
  config::ClipVisionConfig c;
  c.hidden_size = json.at("hidden_size");
  c.intermediate_size = json.at("intermediate_size");
  c.num_hidden_layers = json.at("num_hidden_layers");
  c.num_attention_heads = json.at("num_attention_heads");
  c.image_size = json.at("image_size");
  c.patch_size = json.at("patch_size");
  c.hidden_act = json.at("hidden_act");
  c.layer_norm_eps = json.at("layer_norm_eps");
  return c;
}

class ClipVisionForm : public testing::TestWithParam<std::string> {
 protected:
  ClipVisionForm() { golden.fill(params, "w." + GetParam() + "."); }

  double distance() const {
    return test::relative_l2(model(golden["in." + GetParam() + ".pixels"]),
                             golden["out." + GetParam() + ".hidden"]);
  }

  test::Golden golden{"clip-vision-tiny"};
  weights::ParamSet params{test::device(), at::kFloat};
  ClipVision model{weights::ParamScope(params), config_of(golden, GetParam())};
};

TEST_P(ClipVisionForm, IsTransformers) {
  EXPECT_LT(distance(), test::bound(2e-6));
  params.pack();
  EXPECT_LT(distance(), test::bound(2e-6));
}

TEST_P(ClipVisionForm, NeedsEachParameter) {
  for (weights::Param& param : params.params()) {
    const at::Tensor kept = param.tensor.clone();
    param.tensor.fill_(param.name.find("norm") == param.name.npos ? 0 : 1);
    // A key's bias moves all scores of a query alike.
    EXPECT_GT(distance(), param.name.ends_with("k_proj.bias") ? -1 : 1e-3) << param.name;
    param.tensor.copy_(kept);
  }
}

TEST_P(ClipVisionForm, KnowsTheOtherTensorsOfItsCheckpoint) {
  const std::string prefix = "w." + GetParam() + ".", vision = "vision_model.";
  const auto options = ClipVision::load_options(params, model.config);
  for (const auto& [name, info] : golden.file.tensors()) {
    if (!name.starts_with(prefix)) continue;
    const std::string key = name.substr(prefix.size());
    EXPECT_NE(params.find(key) != nullptr, options.unused(key)) << key;
    if (!key.starts_with(vision)) continue;
    const std::string bare = key.substr(vision.size());
    EXPECT_EQ(options.unused(key), options.unused(bare)) << bare;
    if (params.find(key)) {
      EXPECT_EQ(options.aliases.at(key), bare);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, ClipVisionForm, testing::Values("gelu", "quick"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace reel::models
