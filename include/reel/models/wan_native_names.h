#pragma once

#include <map>
#include <string>

#include "reel/weights/checkpoint.h"

namespace reel::models {

/// What Wan-Video's own checkpoints call the tensor that is `name` in WanTransformer3DModel. That
/// of Diffusers' convert_wan_transformer_to_diffusers, the other way round.
std::string native_name(std::string_view name);

/// Parameters to their names in `checkpoint`, if it is one of Wan-Video's own layout, which the
/// single files of LightX2V and Comfy keep, the latter with a prefix; else empty.
std::map<std::string, std::string> native_names(const weights::ParamSet& params,
                                                const weights::Checkpoint& checkpoint);

}  // namespace reel::models
