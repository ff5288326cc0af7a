#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <vector>

#include "reel/config/wan_transformer_config.h"
#include "reel/models/wan_block.h"
#include "reel/models/wan_vace.h"
#include "reel/nn/patch_embedding.h"
#include "reel/residency/blocks.h"
#include "reel/weights/checkpoint.h"

// Shapes: B batch, S video tokens, T text tokens, D width, C latent channels, F, Y, X latent
// frames, rows and columns, N timesteps of a schedule.

namespace reel::models {

/// The time modulations of a whole schedule, a row for each timestep; compute dtype.
struct TimeTable {
  at::Tensor temb_ND, tproj_N6D;

  /// Every token at timestep `n`.
  StepTime at(int64_t n) const;

  /// Tokens at several timesteps: the token at [b, s] at `steps[row_of_BS[b, s]]`.
  StepTime at(const std::vector<int64_t>& steps, const at::Tensor& row_of_BS) const;
};

/// What one prompt, and the picture with it, comes to in one transformer: what each block reads.
struct PromptContext {
  std::vector<ContextKeys> layers, vace;
};

/// CLIP's view of one or two pictures -> tokens beside the text's. I tokens a picture.
struct ImageEmbedder {
  ImageEmbedder(const weights::ParamScope& scope, const config::WanTransformerConfig& config);

  /// views_NIC: a picture each -> [N, I, D]; or, where places are learned, for the first and the
  /// last picture together, [N / 2, 2I, D].
  at::Tensor operator()(const at::Tensor& views_NIC) const;

  nn::LayerNorm norm1, norm2;  // in fp32
  nn::Linear in, out;
  const weights::Param* pos_embed;  // [1, 2I, C]; null: none
};

/// What the forwards of one step make only once: in their first blocks' attention over the video no
/// prompt has a part. The first forward fills it.
struct FirstAttention {
  at::Tensor stack_BSD, vace_BSD;
};

/// What a forward is conditioned on.
struct Conditions {
  const StepTime& time;
  const nn::Rope& rope;
  const PromptContext& prompt;
  FirstAttention* first = nullptr;      // shared with forwards of other prompts; null: with none
  std::vector<at::Tensor> hints_BSD{};  // VACE's, one for each of its layers; empty: none
};

/// The video transformer of Wan 2.1 and 2.2 (T2V, I2V and VACE; A14B is two of them; 5B with a row
/// of time for each distinct timestep). WanTransformer3DModel of Diffusers 0.40 in names and
/// numerics.
///
/// A forward is begin, with VACE hints, blocks, finish. What a request's steps share is computed
/// once, by rope, times and prompt, and kept by the caller. Nothing waits for the device.
struct WanTransformer {
  WanTransformer(const weights::ParamScope& scope, const config::WanTransformerConfig& config);

  /// What published files hold and nothing reads: norms of no use, and the gates of FastVideo's
  /// sparse attention, which is dense here.
  static weights::LoadOptions load_options();

  /// The patches of latents [B, C, F, Y, X]. Throws Error(InvalidArgument) if they are not whole
  /// patches, or more along an axis than the model knows.
  nn::Grid grid_of(const at::Tensor& latents_BCFYX) const;

  nn::Rope rope(const nn::Grid& grid) const;

  /// timesteps_N: any dtype, on the model's device.
  TimeTable times(const at::Tensor& timesteps_N) const;

  /// text_BTC: the text encoder's output, [B, T, text_dim]; views_NIC: the image encoder's, B times
  /// a picture or two, undefined: none. Throws Error(InvalidArgument) if they are not what `config`
  /// asks for.
  PromptContext prompt(const at::Tensor& text_BTC, const at::Tensor& views_NIC,
                       residency::Blocks& weights) const;

  /// Latents [B, C, F, Y, X] -> x_BSD, compute dtype.
  at::Tensor begin(const at::Tensor& latents_BCFYX) const;

  /// What VACE's blocks, given x_BSD from begin() and a control [B, vace_in_channels, F, Y, X] of
  /// as many patches, add after the stack's: `scales[k]` times what the k-th says. Of `conditions`
  /// no hints are read.
  std::vector<at::Tensor> hints(const at::Tensor& x_BSD, const at::Tensor& control_BCFYX,
                                const std::vector<double>& scales, const Conditions& conditions,
                                BlockContext context, residency::Blocks& weights) const;

  /// Blocks first … last − 1 of the stack; `context.layer` is set here.
  at::Tensor blocks(int64_t first, int64_t last, at::Tensor x_BSD, const Conditions& conditions,
                    BlockContext context, residency::Blocks& weights) const;

  /// x_BSD -> the prediction, [B, out_channels, F, Y, X].
  at::Tensor finish(const at::Tensor& x_BSD, const StepTime& time, const nn::Grid& grid) const;

  const config::WanTransformerConfig config;
  nn::PatchEmbedding patch_embedding;
  nn::Linear time_in, time_out, time_proj;  // the first two in fp32
  nn::Linear text_in, text_out;
  std::optional<ImageEmbedder> image_embedder;
  std::deque<WanBlock> layers;
  std::optional<WanVace> vace;
  const weights::Param& scale_shift_table;  // [1, 2, D]
  nn::Linear proj_out;

 private:
  /// The stack's blocks, then VACE's.
  int block_count() const { return static_cast<int>(layers.size() + config.vace_layers.size()); }

  /// The block wanted after block `i`: after the last, the first of the next step, which is VACE's
  /// where there is one.
  int after(int i) const;
};

}  // namespace reel::models
