#pragma once

#include "reel/config/model_index.h"
#include "reel/engine/engine.h"

namespace reel::engine {

/// What the model in `folder` takes and makes: published defaults when its id is known, else the
/// folder's own and Diffusers'. `device` as in "cuda:0".
gen::Description describe(const config::ModelFolder& folder, const Options& options,
                          const std::string& device);

}  // namespace reel::engine
