#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <optional>

#include "reel/config/wan_transformer_config.h"
#include "reel/models/wan_block.h"
#include "reel/nn/patch_embedding.h"

namespace reel::models {

/// What VACE has beside the stack of blocks: blocks of its own, which read a control and say what
/// is added after those of the stack that `vace_layers` names (WanVACETransformer3DModel of
/// Diffusers 0.40).
struct WanVace {
  WanVace(const weights::ParamScope& scope, const config::WanTransformerConfig& config);

  struct Block {
    Block(const weights::ParamScope& scope, const config::WanTransformerConfig& config, bool first);

    std::optional<nn::Linear> proj_in;  // of the first: the video joins the control behind it
    WanBlock block;
    nn::Linear proj_out;
  };

  nn::PatchEmbedding patch_embedding;
  std::deque<Block> blocks;
};

}  // namespace reel::models
