#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "reel/config/umt5_config.h"
#include "reel/nn/linear.h"
#include "reel/residency/blocks.h"
#include "reel/weights/checkpoint.h"
#include "reel/weights/param.h"

/// UMT5's encoder, as transformers' UMT5EncoderModel computes it with SDPA attention.
/// L tokens of one prompt, D d_model, H heads, K d_kv, N buckets of relative distance.
namespace reel::models {

/// x / rms(x) in fp32, rounded to the weight's dtype, and then scaled in it.
struct Umt5Norm {
  Umt5Norm(const weights::ParamScope& scope, const config::Umt5Config& config);

  at::Tensor operator()(const at::Tensor& x_1LD) const;

  const weights::Param& weight;
  double eps;
};

struct Umt5Attention {
  Umt5Attention(const weights::ParamScope& scope, const config::Umt5Config& config);

  /// buckets: int64 [2L - 1], of the distances key - query from -(L - 1) to L - 1.
  at::Tensor operator()(const at::Tensor& x_1LD, const at::Tensor& buckets) const;

  nn::Linear q, k, v, o;
  const weights::Param& relative_attention_bias;  // [N, H]
  int64_t heads;
};

/// wo(gelu(wi_0 x) · wi_1 x)
struct Umt5FeedForward {
  Umt5FeedForward(const weights::ParamScope& scope, const config::Umt5Config& config);

  at::Tensor operator()(const at::Tensor& x_1LD) const;

  nn::Linear wi_0, wi_1;
  nn::Linear wo;  // fp32 where the others are fp16, and so is what follows: it overflows fp16
};

struct Umt5Block {
  Umt5Block(const weights::ParamScope& scope, const config::Umt5Config& config);

  at::Tensor operator()(const at::Tensor& x_1LD, const at::Tensor& buckets) const;

  Umt5Attention attention;
  Umt5Norm attention_norm;
  Umt5FeedForward feed_forward;
  Umt5Norm feed_forward_norm;
};

struct Umt5Encoder {
  /// `scope` is the root of the text encoder's checkpoint.
  Umt5Encoder(const weights::ParamScope& scope, const config::Umt5Config& config);

  /// ids: the true tokens of one prompt, `</s>` included, no padding -> last_hidden_state
  /// [1, L, D] in the compute dtype.
  ///
  /// The same rows as of a padded batch: there the weight of a padding key is exp(-huge) = 0.
  /// Throws Error(BadModel) on no tokens, or one that is not in the table.
  at::Tensor operator()(const std::vector<int64_t>& ids, residency::Blocks& placement) const;

  /// As WanPipeline gives it to the transformer: the rows of `ids`, zeros behind them;
  /// [1, max_sequence_length, D]. Throws Error(InvalidArgument) on more tokens than that.
  at::Tensor encode_prompt(const std::vector<int64_t>& ids, int64_t max_sequence_length,
                           residency::Blocks& placement) const;

  /// The table may be called `encoder.embed_tokens.weight`, or be there under both names.
  static weights::LoadOptions load_options();

  config::Umt5Config config;
  at::Device device;
  at::ScalarType compute;
  const weights::Param& shared;  // [vocab_size, D]; may stay on the host, in the file's dtype
  std::vector<Umt5Block> blocks;
  Umt5Norm final_layer_norm;
};

}  // namespace reel::models
