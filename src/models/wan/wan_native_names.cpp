#include "reel/models/wan_native_names.h"

#include <span>

namespace reel::models {
namespace {

struct Renamed {
  std::string_view diffusers, native;
};

constexpr Renamed kInBlocks[] = {{"attn1.", "self_attn."},
                                 {"attn2.", "cross_attn."},
                                 {"to_q.", "q."},
                                 {"to_k.", "k."},
                                 {"to_v.", "v."},
                                 {"to_out.0.", "o."},
                                 {"add_k_proj.", "k_img."},
                                 {"add_v_proj.", "v_img."},
                                 {"norm_added_k.", "norm_k_img."},
                                 {"norm2.", "norm3."},
                                 {"ffn.net.0.proj.", "ffn.0."},
                                 {"ffn.net.2.", "ffn.2."},
                                 {"scale_shift_table", "modulation"},
                                 {"proj_in.", "before_proj."},
                                 {"proj_out.", "after_proj."}};

constexpr Renamed kAround[] = {{"condition_embedder.time_embedder.linear_1.", "time_embedding.0."},
                               {"condition_embedder.time_embedder.linear_2.", "time_embedding.2."},
                               {"condition_embedder.text_embedder.linear_1.", "text_embedding.0."},
                               {"condition_embedder.text_embedder.linear_2.", "text_embedding.2."},
                               {"condition_embedder.time_proj.", "time_projection.1."},
                               {"condition_embedder.image_embedder.", "img_emb."},
                               {"img_emb.norm1.", "img_emb.proj.0."},
                               {"img_emb.ff.net.0.proj.", "img_emb.proj.1."},
                               {"img_emb.ff.net.2.", "img_emb.proj.3."},
                               {"img_emb.norm2.", "img_emb.proj.4."},
                               {"img_emb.pos_embed", "img_emb.emb_pos"},
                               {"proj_out.", "head.head."},
                               {"scale_shift_table", "head.modulation"}};

}  // namespace

std::string native_name(std::string_view name) {
  std::string renamed(name);
  const bool in_block = name.starts_with("blocks.") || name.starts_with("vace_blocks.");
  const auto& table = in_block ? std::span<const Renamed>(kInBlocks) : kAround;
  for (const auto& [diffusers, native] : table) {
    const size_t at = renamed.find(diffusers);
    if (at != renamed.npos) renamed.replace(at, diffusers.size(), native);
  }
  return renamed;
}

std::map<std::string, std::string> native_names(const weights::ParamSet& params,
                                                const weights::Checkpoint& checkpoint) {
  std::map<std::string, std::string> names;
  for (const std::string prefix : {"", "model.diffusion_model.", "diffusion_model."}) {
    if (checkpoint.file_of(prefix + native_name("proj_out.weight")) == nullptr) continue;
    for (const auto& param : params.params()) names[param.name] = prefix + native_name(param.name);
    return names;
  }
  return names;
}

}  // namespace reel::models
