#pragma once

namespace reel::engine {

/// Logs the versions of torch, CUDA, cuDNN and NCCL really loaded, and warns when cuDNN comes
/// from elsewhere than torch's own wheel: fast attention and convolution are silently lost then.
void log_libraries();

}  // namespace reel::engine
