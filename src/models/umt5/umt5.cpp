#include "reel/models/umt5.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "reel/base/error.h"
#include "relative_position.h"

namespace reel::models {
namespace {

constexpr const char* kTable = "shared.weight";
constexpr const char* kTableAlias = "encoder.embed_tokens.weight";

/// The tanh form of GELU. In bf16 operation by operation, as transformers' "gelu_new" is written:
/// its roundings are part of the result.
at::Tensor gelu_new(const at::Tensor& x) {
  if (x.scalar_type() == at::kFloat) return at::gelu(x, "tanh");
  const double scale = std::sqrt(2 / std::numbers::pi);
  return 0.5 * x * (1.0 + at::tanh(scale * (x + 0.044715 * at::pow(x, 3.0))));
}

void check_ids(const std::vector<int64_t>& ids, int64_t vocab_size) {
  if (ids.empty()) throw Error(ErrorCode::BadModel, "UMT5: expected at least one token, got none");
  const auto bad =
      std::find_if(ids.begin(), ids.end(), [&](int64_t id) { return id < 0 || id >= vocab_size; });
  if (bad != ids.end()) {
    throw Error(ErrorCode::BadModel, fmt::format("UMT5: expected token ids below {}, got {}: the "
                                                 "tokenizer belongs to another text encoder",
                                                 vocab_size, *bad));
  }
}

}  // namespace

Umt5Norm::Umt5Norm(const weights::ParamScope& scope, const config::Umt5Config& config)
    : weight(scope.declare("weight", {config.d_model})), eps(config.layer_norm_epsilon) {}

at::Tensor Umt5Norm::operator()(const at::Tensor& x_1LD) const {
  const at::Tensor variance = x_1LD.to(at::kFloat).pow(2).mean(-1, /*keepdim=*/true);
  const at::Tensor normed = x_1LD * at::rsqrt(variance + eps);
  return weight.tensor * normed.to(weight.tensor.scalar_type());
}

Umt5Attention::Umt5Attention(const weights::ParamScope& scope, const config::Umt5Config& config)
    : q(scope / "q", config.d_model, config.num_heads * config.d_kv, false),
      k(scope / "k", config.d_model, config.num_heads * config.d_kv, false),
      v(scope / "v", config.d_model, config.num_heads * config.d_kv, false),
      o(scope / "o", config.num_heads * config.d_kv, config.d_model, false),
      relative_attention_bias(
          scope.declare("relative_attention_bias.weight",
                        {config.relative_attention_num_buckets, config.num_heads})),
      heads(config.num_heads) {}

at::Tensor Umt5Attention::operator()(const at::Tensor& x_1LD, const at::Tensor& buckets) const {
  const auto split = [&](const at::Tensor& y) {
    return y.unflatten(2, {heads, -1}).transpose(1, 2);
  };
  const at::Tensor bias_1HLL = relative_bias(relative_attention_bias.tensor, buckets);
  const at::Tensor y_1HLK = at::scaled_dot_product_attention(
      split(q(x_1LD)), split(k(x_1LD)), split(v(x_1LD)), bias_1HLL, /*dropout_p=*/0,
      /*is_causal=*/false, /*scale=*/1.0);
  return o(y_1HLK.transpose(1, 2).flatten(2));
}

Umt5FeedForward::Umt5FeedForward(const weights::ParamScope& scope, const config::Umt5Config& config)
    : wi_0(scope / "wi_0", config.d_model, config.d_ff, false),
      wi_1(scope / "wi_1", config.d_model, config.d_ff, false),
      wo(scope / "wo", config.d_ff, config.d_model, false,
         scope.set().compute() == at::kHalf ? weights::Keep::Fp32 : weights::Keep::Compute) {}

at::Tensor Umt5FeedForward::operator()(const at::Tensor& x_1LD) const {
  const at::Tensor y = gelu_new(wi_0(x_1LD)) * wi_1(x_1LD);
  return wo(y.scalar_type() == at::kHalf ? y.to(at::kFloat) : y);
}

Umt5Block::Umt5Block(const weights::ParamScope& scope, const config::Umt5Config& config)
    : attention(scope / "layer" / 0 / "SelfAttention", config),
      attention_norm(scope / "layer" / 0 / "layer_norm", config),
      feed_forward(scope / "layer" / 1 / "DenseReluDense", config),
      feed_forward_norm(scope / "layer" / 1 / "layer_norm", config) {}

at::Tensor Umt5Block::operator()(const at::Tensor& x_1LD, const at::Tensor& buckets) const {
  const at::Tensor x = x_1LD + attention(attention_norm(x_1LD), buckets);
  return x + feed_forward(feed_forward_norm(x));
}

Umt5Encoder::Umt5Encoder(const weights::ParamScope& scope, const config::Umt5Config& config_)
    : config(config_),
      device(scope.set().device()),
      compute(scope.set().compute()),
      shared(scope.declare(kTable, {config.vocab_size, config.d_model})),
      final_layer_norm(scope / "encoder" / "final_layer_norm", config) {
  blocks.reserve(static_cast<size_t>(config.num_layers));
  for (int64_t i = 0; i < config.num_layers; ++i) {
    blocks.emplace_back(scope / "encoder" / "block" / i, config);
  }
}

at::Tensor Umt5Encoder::operator()(const std::vector<int64_t>& ids,
                                   residency::Blocks& placement) const {
  check_ids(ids, config.vocab_size);
  const auto length = static_cast<int64_t>(ids.size());
  const at::Tensor rows = at::tensor(ids, at::kLong).to(shared.tensor.device());
  at::Tensor x_1LD = shared.tensor.index_select(0, rows).to(device, compute).unsqueeze(0);
  const at::Tensor buckets =
      relative_buckets(at::arange(1 - length, length, at::kLong), config).to(device);
  const int last = static_cast<int>(blocks.size()) - 1;
  for (int i = 0; i <= last; ++i) {
    const residency::Lease lease = placement.acquire(i, i < last ? i + 1 : -1);
    x_1LD = blocks[static_cast<size_t>(i)](x_1LD, buckets);
  }
  return final_layer_norm(x_1LD);
}

at::Tensor Umt5Encoder::encode_prompt(const std::vector<int64_t>& ids, int64_t max_sequence_length,
                                      residency::Blocks& placement) const {
  const auto length = static_cast<int64_t>(ids.size());
  require(length <= max_sequence_length,
          fmt::format("prompt: expected at most {} tokens, got {}", max_sequence_length, length),
          "max_sequence_length");
  return at::constant_pad_nd((*this)(ids, placement), {0, 0, 0, max_sequence_length - length});
}

weights::LoadOptions Umt5Encoder::load_options() {
  weights::LoadOptions options;
  options.aliases = {{kTable, kTableAlias}};
  options.unused = [](std::string_view name) { return name == kTableAlias; };
  return options;
}

}  // namespace reel::models
