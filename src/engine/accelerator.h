#pragma once

namespace reel::engine {

/// Sets, for the process, what Diffusers has by default: in fp32 products of matrices are exact,
/// and convolutions on a GPU may use TF32.
void set_fp32_precision();

}  // namespace reel::engine
