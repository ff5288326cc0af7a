#include "reel/models/clip_vision.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "reel/nn/attention.h"

namespace reel::models {
namespace {

constexpr std::string_view kPrefix = "vision_model.";

}  // namespace

ClipNorm::ClipNorm(const weights::ParamScope& scope, const config::ClipVisionConfig& c)
    : weight(scope.declare("weight", {c.hidden_size})),
      bias(scope.declare("bias", {c.hidden_size})),
      eps(c.layer_norm_eps) {}

at::Tensor ClipNorm::operator()(const at::Tensor& x_NIC) const {
  return at::layer_norm(x_NIC, weight.tensor.sizes(), weight.tensor, bias.tensor, eps);
}

ClipLayer::ClipLayer(const weights::ParamScope& scope, const config::ClipVisionConfig& c)
    : q(scope / "self_attn" / "q_proj", c.hidden_size, c.hidden_size),
      k(scope / "self_attn" / "k_proj", c.hidden_size, c.hidden_size),
      v(scope / "self_attn" / "v_proj", c.hidden_size, c.hidden_size),
      out(scope / "self_attn" / "out_proj", c.hidden_size, c.hidden_size),
      fc1(scope / "mlp" / "fc1", c.hidden_size, c.intermediate_size),
      fc2(scope / "mlp" / "fc2", c.intermediate_size, c.hidden_size),
      norm1(scope / "layer_norm1", c),
      norm2(scope / "layer_norm2", c),
      heads(c.num_attention_heads),
      quick(c.hidden_act == "quick_gelu") {}

at::Tensor ClipLayer::operator()(const at::Tensor& x_NIC) const {
  const auto split = [&](const at::Tensor& y) { return y.unflatten(2, {heads, -1}); };
  const auto n = norm1(x_NIC);
  const auto x = x_NIC + out(nn::attention(split(q(n)), split(k(n)), split(v(n))).flatten(2));
  const auto y = fc1(norm2(x));
  return x + fc2(quick ? y * at::sigmoid(1.702 * y) : at::gelu(y));
}

ClipVision::ClipVision(const weights::ParamScope& scope, const config::ClipVisionConfig& c)
    : config(c),
      class_embedding(
          (scope / "vision_model" / "embeddings").declare("class_embedding", {c.hidden_size})),
      patch_weight((scope / "vision_model" / "embeddings" / "patch_embedding")
                       .declare("weight", {c.hidden_size, 3, c.patch_size, c.patch_size})),
      position_embedding(
          (scope / "vision_model" / "embeddings" / "position_embedding")
              .declare("weight", {(c.image_size / c.patch_size) * (c.image_size / c.patch_size) + 1,
                                  c.hidden_size})),
      pre_norm(scope / "vision_model" / "pre_layrnorm", c) {  // sic
  for (int64_t i = 0; i + 1 < c.num_hidden_layers; ++i) {
    layers.emplace_back(scope / "vision_model" / "encoder" / "layers" / i, c);
  }
}

at::Tensor ClipVision::operator()(const at::Tensor& pixels_N3HW) const {
  const auto pixels = pixels_N3HW.to(patch_weight.tensor.options());
  const auto patches_NIC =
      at::conv2d(pixels, patch_weight.tensor, {}, config.patch_size).flatten(2).transpose(1, 2);
  const auto whole_N1C = class_embedding.tensor.expand({pixels.size(0), 1, config.hidden_size});
  auto x = pre_norm(at::cat({whole_N1C, patches_NIC}, 1) + position_embedding.tensor);
  for (const ClipLayer& layer : layers) x = layer(x);
  return x;
}

weights::LoadOptions ClipVision::load_options(const weights::ParamSet& params,
                                              const config::ClipVisionConfig& config) {
  weights::LoadOptions options;
  for (const weights::Param& param : params.params()) {
    options.aliases[param.name] = param.name.substr(kPrefix.size());
  }
  const auto last = fmt::format("encoder.layers.{}.", config.num_hidden_layers - 1);
  options.unused = [last](std::string_view name) {
    if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
    return name.starts_with(last) || name.starts_with("post_layernorm.") ||
           name == "visual_projection.weight" ||
           name == "embeddings.position_ids";  // of old files: 0, 1, 2 …
  };
  return options;
}

}  // namespace reel::models
