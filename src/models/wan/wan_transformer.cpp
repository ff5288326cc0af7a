#include "reel/models/wan_transformer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reel/base/error.h"

namespace reel::models {
namespace {

int64_t patch_volume(const config::WanTransformerConfig& c) {
  return c.patch_size[0] * c.patch_size[1] * c.patch_size[2];
}

/// [cos | sin] of timestep · 10000^(−i / half), fp32 [N, dim].
at::Tensor sinusoid(const at::Tensor& timesteps_N, int64_t dim) {
  const int64_t half = dim / 2;
  const auto exponents =
      at::arange(half, timesteps_N.options().dtype(at::kFloat)) * -std::log(10000.0) / half;
  const auto angles = timesteps_N.to(at::kFloat).unsqueeze(1) * exponents.exp();
  return at::cat({angles.cos(), angles.sin()}, -1);
}

}  // namespace

StepTime TimeTable::at(int64_t n) const {
  return {temb_ND.narrow(0, n, 1), tproj_N6D.narrow(0, n, 1), {}};
}

StepTime TimeTable::at(const std::vector<int64_t>& steps, const at::Tensor& row_of_BS) const {
  std::vector<at::Tensor> temb, tproj;
  for (const int64_t n : steps) {
    temb.push_back(temb_ND.narrow(0, n, 1));
    tproj.push_back(tproj_N6D.narrow(0, n, 1));
  }
  return {at::cat(temb), at::cat(tproj), row_of_BS};
}

ImageEmbedder::ImageEmbedder(const weights::ParamScope& scope,
                             const config::WanTransformerConfig& c)
    : norm1(scope / "norm1", *c.image_dim),
      norm2(scope / "norm2", c.dim()),
      in(scope / "ff" / "net" / 0 / "proj", *c.image_dim, *c.image_dim),
      out(scope / "ff" / "net" / 2, *c.image_dim, c.dim()),
      pos_embed(c.pos_embed_seq_len
                    ? &scope.declare("pos_embed", {1, *c.pos_embed_seq_len, *c.image_dim})
                    : nullptr) {}

at::Tensor ImageEmbedder::operator()(const at::Tensor& views_NIC) const {
  constexpr double kEps = 1e-5;  // not the model's
  auto x = views_NIC;
  if (pos_embed) x = x.reshape({-1, 2 * x.size(1), x.size(2)}) + pos_embed->tensor;
  x = out(at::gelu(in(kernels::layer_norm(x, norm1.affine(), {}, kEps))));
  return kernels::layer_norm(x, norm2.affine(), {}, kEps);
}

WanTransformer::WanTransformer(const weights::ParamScope& scope,
                               const config::WanTransformerConfig& c)
    : config(c),
      patch_embedding(scope / "patch_embedding", c.in_channels, c.dim(), c.patch_size),
      time_in(scope / "condition_embedder" / "time_embedder" / "linear_1", c.freq_dim, c.dim(),
              /*with_bias=*/true, weights::Keep::Fp32),
      time_out(scope / "condition_embedder" / "time_embedder" / "linear_2", c.dim(), c.dim(),
               /*with_bias=*/true, weights::Keep::Fp32),
      time_proj(scope / "condition_embedder" / "time_proj", c.dim(), 6 * c.dim()),
      text_in(scope / "condition_embedder" / "text_embedder" / "linear_1", c.text_dim, c.dim(),
              /*with_bias=*/true, weights::Keep::Compute, nn::Activation::GeluTanh),
      text_out(scope / "condition_embedder" / "text_embedder" / "linear_2", c.dim(), c.dim()),
      scale_shift_table(scope.declare("scale_shift_table", {1, 2, c.dim()}, weights::Keep::Fp32)),
      proj_out(scope / "proj_out", c.dim(), c.out_channels * patch_volume(c)) {
  if (c.image_dim) image_embedder.emplace(scope / "condition_embedder" / "image_embedder", c);
  for (int64_t i = 0; i < c.num_layers; ++i) layers.emplace_back(scope / "blocks" / i, c);
  if (!c.vace_layers.empty()) vace.emplace(scope, c);
}

weights::LoadOptions WanTransformer::load_options() {
  weights::LoadOptions options;
  options.unused = [](std::string_view name) {
    for (const char* part : {".norm_added_q.", ".to_gate_compress.", ".local_attn.proj_l."}) {
      if (name.find(part) != name.npos) return true;
    }
    return false;
  };
  return options;
}

nn::Grid WanTransformer::grid_of(const at::Tensor& latents_BCFYX) const {
  const char* const names[] = {"frames", "rows", "columns"};
  int64_t patches[3];
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t size = latents_BCFYX.size(static_cast<int64_t>(axis) + 2);
    const int64_t patch = config.patch_size[axis];
    patches[axis] = size / patch;
    require(size % patch == 0 && patches[axis] <= config.rope_max_seq_len,
            fmt::format("latent {}: expected a multiple of {} up to {}, got {}", names[axis], patch,
                        patch * config.rope_max_seq_len, size));
  }
  return {patches[0], patches[1], patches[2]};
}

nn::Rope WanTransformer::rope(const nn::Grid& grid) const {
  return nn::rope_of(grid, config.attention_head_dim, patch_embedding.weight.tensor.device());
}

TimeTable WanTransformer::times(const at::Tensor& timesteps_N) const {
  const auto hidden = at::silu(time_in(sinusoid(timesteps_N, config.freq_dim)));
  const auto temb_ND = time_out(hidden).to(patch_embedding.weight.tensor.scalar_type());
  return {temb_ND, time_proj(at::silu(temb_ND)).unflatten(1, {6, config.dim()})};
}

PromptContext WanTransformer::prompt(const at::Tensor& text_BTC, const at::Tensor& views_NIC,
                                     residency::Blocks& weights) const {
  require(views_NIC.defined() == image_embedder.has_value(),
          fmt::format("image: expected {} with this model", image_embedder ? "one" : "none"),
          "image");
  const auto dtype = patch_embedding.weight.tensor.scalar_type();
  auto context_BTD = text_out(text_in(text_BTC.to(dtype)));
  if (image_embedder) {
    context_BTD = at::cat({(*image_embedder)(views_NIC.to(dtype)), context_BTD}, 1);
  }
  PromptContext context;
  for (int i = 0; i < block_count(); ++i) {
    const auto lease = weights.acquire(i, (i + 1) % block_count());
    const auto at = static_cast<size_t>(i);
    if (at < layers.size()) {
      context.layers.push_back(layers[at].attn2.keys_of(context_BTD));
    } else {
      context.vace.push_back(vace->blocks[at - layers.size()].block.attn2.keys_of(context_BTD));
    }
  }
  return context;
}

at::Tensor WanTransformer::begin(const at::Tensor& latents_BCFYX) const {
  grid_of(latents_BCFYX);
  return patch_embedding(latents_BCFYX);
}

int WanTransformer::after(int i) const {
  const int stack = static_cast<int>(layers.size());
  if (i + 1 == block_count()) return 0;
  return i + 1 < stack || i >= stack ? i + 1 : stack;
}

std::vector<at::Tensor> WanTransformer::hints(const at::Tensor& x_BSD,
                                              const at::Tensor& control_BCFYX,
                                              const std::vector<double>& scales,
                                              const Conditions& conditions, BlockContext context,
                                              residency::Blocks& weights) const {
  require(vace && scales.size() == vace->blocks.size() &&
              control_BCFYX.size(1) == config.vace_in_channels &&
              grid_of(control_BCFYX).tokens() == x_BSD.size(1),
          "control: it does not fit the model or the latents");
  auto c_BSD = vace->patch_embedding(control_BCFYX);
  std::vector<at::Tensor> hints;
  for (size_t k = 0; k < scales.size(); ++k) {
    context.layer = static_cast<int>(layers.size() + k);
    const auto lease = weights.acquire(context.layer, after(context.layer));
    const auto& [proj_in, block, proj_out] = vace->blocks[k];
    if (proj_in) c_BSD = (*proj_in)(c_BSD) + x_BSD;
    c_BSD = block(c_BSD, conditions.time, conditions.rope, conditions.prompt.vace[k], context,
                  k == 0 && conditions.first ? &conditions.first->vace_BSD : nullptr);
    // The scale rounded to the compute dtype, as Diffusers has it.
    hints.push_back(proj_out(c_BSD) * at::scalar_tensor(scales[k], at::dtype(c_BSD.scalar_type())));
  }
  return hints;
}

at::Tensor WanTransformer::blocks(int64_t first, int64_t last, at::Tensor x_BSD,
                                  const Conditions& conditions, BlockContext context,
                                  residency::Blocks& weights) const {
  for (int64_t i = first; i < last; ++i) {
    context.layer = static_cast<int>(i);
    const auto lease = weights.acquire(context.layer, after(context.layer));
    const auto at = static_cast<size_t>(i);
    x_BSD =
        layers[at](x_BSD, conditions.time, conditions.rope, conditions.prompt.layers[at], context,
                   i == 0 && conditions.first ? &conditions.first->stack_BSD : nullptr);
    const auto hinted = std::find(config.vace_layers.begin(), config.vace_layers.end(), i);
    if (hinted != config.vace_layers.end() && !conditions.hints_BSD.empty()) {
      x_BSD =
          x_BSD + conditions.hints_BSD[static_cast<size_t>(hinted - config.vace_layers.begin())];
    }
  }
  return x_BSD;
}

at::Tensor WanTransformer::finish(const at::Tensor& x_BSD, const StepTime& time,
                                  const nn::Grid& grid) const {
  const auto m_R2D = scale_shift_table.tensor + time.temb_RD.unsqueeze(1);
  const kernels::Affine affine{1 + m_R2D.select(1, 1), m_R2D.select(1, 0)};
  const auto [pf, py, px] = config.patch_size;
  return proj_out(kernels::layer_norm(x_BSD, affine, time.row_of_BS, config.eps))
      .view({x_BSD.size(0), grid.frames, grid.rows, grid.columns, pf, py, px, config.out_channels})
      .permute({0, 7, 1, 4, 2, 5, 3, 6})
      .reshape({x_BSD.size(0), config.out_channels, grid.frames * pf, grid.rows * py,
                grid.columns * px});
}

}  // namespace reel::models
