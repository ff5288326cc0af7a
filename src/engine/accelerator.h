#pragma once

#include <c10/core/Device.h>

namespace reel::engine {

/// Sets, for the process, what Diffusers has by default: in fp32 products of matrices are exact,
/// and convolutions on a GPU may use TF32.
void set_fp32_precision();

/// Logs which of libtorch's attention back ends a transformer's shapes get on `device`; on a CPU
/// nothing. Which it is decides most of a step's time: cuDNN's is the fastest on Hopper.
void log_attention(c10::Device device);

}  // namespace reel::engine
