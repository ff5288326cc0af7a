#include "reel/models/wan_block.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "reel/base/error.h"
#include "reel/nn/attention.h"

namespace reel::models {
namespace {

constexpr int64_t kTextTokens = 512;  // Diffusers' constant

/// A rank's share, along `dim`, of what there is for each token.
at::Tensor of_rank(const at::Tensor& all, int64_t dim, int64_t first, int64_t count) {
  return all.defined() ? all.narrow(dim, first, count) : all;
}

}  // namespace

WanAttention::WanAttention(const weights::ParamScope& scope, const config::WanTransformerConfig& c,
                           std::optional<int64_t> image_dim)
    : to_q(scope / "to_q", c.dim(), c.dim()),
      to_k(scope / "to_k", c.dim(), c.dim()),
      to_v(scope / "to_v", c.dim(), c.dim()),
      to_out(scope / "to_out" / 0, c.dim(), c.dim()),
      norm_q(scope / "norm_q", c.dim(), c.eps),
      norm_k(scope / "norm_k", c.dim(), c.eps),
      heads(c.num_attention_heads) {
  if (!image_dim) return;
  image.emplace(ImageKeys{{scope / "add_k_proj", *image_dim, c.dim()},
                          {scope / "add_v_proj", *image_dim, c.dim()},
                          {scope / "norm_added_k", c.dim(), c.eps}});
}

at::Tensor WanAttention::over_self(const at::Tensor& x_BSD, const nn::Rope& rope,
                                   const BlockContext& context) const {
  if (context.sequence.size() != 1) {
    throw Error(ErrorCode::Unsupported, "transformer: tokens shared by several ranks");
  }
  const int64_t S = x_BSD.size(1);
  const nn::Rope of_keys{of_rank(rope.cos_SR, 0, context.first_token, S),
                         of_rank(rope.sin_SR, 0, context.first_token, S)};
  nn::Rope of_queries = of_keys;
  const bool exponents = nn::prefers_exponents(x_BSD.unflatten(2, {heads, -1}));
  if (exponents) {
    const double factor = M_LOG2E / std::sqrt(x_BSD.size(2) / heads);
    of_queries = {of_keys.cos_SR * factor, of_keys.sin_SR * factor};
  }
  const auto turned = [&](const nn::Linear& to, const nn::RmsNorm& norm, const nn::Rope& by) {
    return kernels::rms_norm_rope(to(x_BSD), norm.weight.tensor, norm.eps, by.cos_SR, by.sin_SR)
        .unflatten(2, {heads, -1});
  };
  const auto q_BSHd = turned(to_q, norm_q, of_queries), k_BSHd = turned(to_k, norm_k, of_keys);
  const auto v_BSHd = to_v(x_BSD).unflatten(2, {heads, -1});
  return to_out(nn::attention(q_BSHd, k_BSHd, v_BSHd, exponents).flatten(2));
}

ContextKeys WanAttention::keys_of(const at::Tensor& context_BTD) const {
  const auto key_value = [&](const nn::Linear& k, const nn::RmsNorm& norm, const nn::Linear& v,
                             const at::Tensor& tokens) -> KeyValue {
    return {norm(k(tokens)).unflatten(2, {heads, -1}), v(tokens).unflatten(2, {heads, -1})};
  };
  if (!image) return {key_value(to_k, norm_k, to_v, context_BTD), {}};
  const int64_t all = context_BTD.size(1), before = all - kTextTokens;
  // As Python slices: with fewer text tokens, Diffusers counts from the end.
  const int64_t pictures = before >= 0 ? before : std::max<int64_t>(0, all + before);
  return {key_value(to_k, norm_k, to_v, context_BTD.narrow(1, pictures, all - pictures)),
          key_value(image->to_k, image->norm_k, image->to_v, context_BTD.narrow(1, 0, pictures))};
}

at::Tensor WanAttention::over_context(const at::Tensor& x_BSD, const ContextKeys& context) const {
  const auto q_BSHd = norm_q(to_q(x_BSD)).unflatten(2, {heads, -1});
  auto y_BSD = nn::attention(q_BSHd, context.text.k_BTHd, context.text.v_BTHd).flatten(2);
  if (const auto& picture = context.image) {
    y_BSD = y_BSD + nn::attention(q_BSHd, picture->k_BTHd, picture->v_BTHd).flatten(2);
  }
  return to_out(y_BSD);
}

WanBlock::WanBlock(const weights::ParamScope& scope, const config::WanTransformerConfig& c)
    : attn1(scope / "attn1", c),
      attn2(scope / "attn2", c, c.added_kv_proj_dim),
      norm2(c.cross_attn_norm ? std::make_optional<nn::LayerNorm>(scope / "norm2", c.dim())
                              : std::nullopt),
      ffn_in(scope / "ffn" / "net" / 0 / "proj", c.dim(), c.ffn_dim, /*with_bias=*/true,
             weights::Keep::Compute, nn::Activation::GeluTanh),
      ffn_out(scope / "ffn" / "net" / 2, c.ffn_dim, c.dim()),
      scale_shift_table(scope.declare("scale_shift_table", {1, 6, c.dim()}, weights::Keep::Fp32)),
      eps(c.eps) {}

at::Tensor WanBlock::operator()(const at::Tensor& x_BSD, const StepTime& time, const nn::Rope& rope,
                                const ContextKeys& keys, const BlockContext& context,
                                at::Tensor* over_video) const {
  const auto m_R6D = scale_shift_table.tensor + time.tproj_R6D.to(at::kFloat);
  const auto part = [&](int64_t i) { return m_R6D.select(1, i); };
  const kernels::Affine self{1 + part(1), part(0)}, feed{1 + part(4), part(3)};
  const auto row_of = of_rank(time.row_of_BS, 1, context.first_token, x_BSD.size(1));

  // 1. Self-attention
  const bool made = over_video && over_video->defined();
  auto y = made ? *over_video
                : attn1.over_self(kernels::layer_norm(x_BSD, self, row_of, eps), rope, context);
  if (over_video) *over_video = y;

  // 2. Cross-attention
  kernels::Sum sum;
  if (norm2) {
    sum = kernels::add_and_norm(x_BSD, y, part(2), norm2->affine(), row_of, eps);
  } else {
    sum.x_BSD = sum.normed_BSD = kernels::add_gated(x_BSD, y, part(2), row_of);
  }
  y = attn2.over_context(sum.normed_BSD, keys);

  // 3. Feed-forward
  sum = kernels::add_and_norm(sum.x_BSD, y, /*gate_RD=*/{}, feed, row_of, eps);
  y = ffn_out(ffn_in(sum.normed_BSD));
  return kernels::add_gated(sum.x_BSD, y, part(5), row_of);
}

}  // namespace reel::models
