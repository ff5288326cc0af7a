#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "reel/config/wan_transformer_config.h"
#include "reel/dist/group.h"
#include "reel/nn/linear.h"
#include "reel/nn/norm.h"
#include "reel/nn/rope.h"
#include "reel/weights/param.h"

// Shapes: B batch, S this rank's video tokens, T text tokens, D width, H heads, d a head's width,
// R distinct timesteps.

namespace reel::models {

/// Where a block's call stands: in the denoising, the stack and the ranks.
struct BlockContext {
  dist::Group& sequence;    // the ranks that share the tokens
  int64_t first_token = 0;  // of this rank's, in the whole sequence
  int step = 0;
  int branch = 0;  // 0: with the prompt, 1: with the negative one
  int layer = 0;
};

/// One step's time modulation: a row for each distinct timestep, and which row is each token's.
struct StepTime {
  at::Tensor temb_RD;  // compute dtype, as all of it
  at::Tensor tproj_R6D;
  at::Tensor row_of_BS;  // int64; undefined: as kernels::Affine says, mostly one row for all
};

/// Keys and values, by head.
struct KeyValue {
  at::Tensor k_BTHd, v_BTHd;
};

/// What a block's second attention reads: the text, and the picture where that has keys of its own.
struct ContextKeys {
  KeyValue text;
  std::optional<KeyValue> image;
};

/// Wan's attention, over the video itself or over its context.
struct WanAttention {
  /// `image_dim`: the width of pictures that get keys of their own; none: no such keys.
  WanAttention(const weights::ParamScope& scope, const config::WanTransformerConfig& config,
               std::optional<int64_t> image_dim = {});

  /// x_BSD -> [B, S, D]. Throws Error(Unsupported) if more than one rank shares the tokens.
  at::Tensor over_self(const at::Tensor& x_BSD, const nn::Rope& rope,
                       const BlockContext& context) const;

  /// What over_context reads: the same in every step. A picture's tokens come before the text's,
  /// of which, where pictures have keys of their own, there are 512.
  ContextKeys keys_of(const at::Tensor& context_BTD) const;
  at::Tensor over_context(const at::Tensor& x_BSD, const ContextKeys& context) const;

  struct ImageKeys {
    nn::Linear to_k, to_v;
    nn::RmsNorm norm_k;
  };

  nn::Linear to_q, to_k, to_v, to_out;
  nn::RmsNorm norm_q, norm_k;
  std::optional<ImageKeys> image;
  int64_t heads;
};

/// One block: attention over the video, over its context, feed-forward.
///
/// Names and numerics are those of WanTransformerBlock (Diffusers 0.40): norms, modulation and
/// gates in fp32, the rest in the compute dtype.
struct WanBlock {
  WanBlock(const weights::ParamScope& scope, const config::WanTransformerConfig& config);

  /// x_BSD -> [B, S, D]. `rope` is of the whole sequence, `keys` this block's own attn2.keys_of.
  /// `over_video`: the attention over the video, in which `keys` have no part, if another call with
  /// the same x has made it; undefined: it is made, and left there for others. Null: nobody else.
  at::Tensor operator()(const at::Tensor& x_BSD, const StepTime& time, const nn::Rope& rope,
                        const ContextKeys& keys, const BlockContext& context,
                        at::Tensor* over_video = nullptr) const;

  WanAttention attn1, attn2;
  std::optional<nn::LayerNorm> norm2;  // none: x itself is attn2's input
  nn::Linear ffn_in, ffn_out;
  const weights::Param& scale_shift_table;  // [1, 6, D]
  double eps;
};

}  // namespace reel::models
