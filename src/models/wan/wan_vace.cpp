#include "reel/models/wan_vace.h"

namespace reel::models {

WanVace::WanVace(const weights::ParamScope& scope, const config::WanTransformerConfig& c)
    : patch_embedding(scope / "vace_patch_embedding", c.vace_in_channels, c.dim(), c.patch_size) {
  for (size_t k = 0; k < c.vace_layers.size(); ++k) {
    blocks.emplace_back(scope / "vace_blocks" / static_cast<int64_t>(k), c, k == 0);
  }
}

WanVace::Block::Block(const weights::ParamScope& scope, const config::WanTransformerConfig& c,
                      bool first)
    : block(scope, c), proj_out(scope / "proj_out", c.dim(), c.dim()) {
  if (first) proj_in.emplace(scope / "proj_in", c.dim(), c.dim());
}

}  // namespace reel::models
