#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

#include "reel/gen/description.h"
#include "reel/gen/video_request.h"

namespace reel::engine {

/// Bytes that this process can still take on `device`. On the CPU: the machine's memory or the
/// control group's, less what the process holds; pages of files, which the kernel may drop, count
/// as free.
uint64_t memory_left(c10::Device device);

/// Refuses what does not fit into `left` bytes. `need` is monotone in size and frames.
/// Throws Error(InvalidArgument) on "num_frames", or on "size" if not even one frame fits, saying
/// what would.
void check_memory(const gen::ResolvedRequest& request, const gen::Description& model,
                  const std::function<uint64_t(const gen::ResolvedRequest&)>& need, uint64_t left);

}  // namespace reel::engine
