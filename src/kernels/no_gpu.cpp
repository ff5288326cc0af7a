#include "gpu_attention.h"
#include "gpu_convolution.h"
#include "gpu_rows.h"

/// Built without nvcc.
namespace reel::kernels::gpu {

bool enabled(bool) { return false; }
bool fits(int64_t, int64_t) { return false; }
const char* run(const Chain&, bool, void*) { return "built without nvcc"; }
const char* run(const Turn&, bool, void*) { return "built without nvcc"; }
const char* run(const RmsSilu&, bool, void*) { return "built without nvcc"; }
int64_t tiles_of(const Attention&) { return 0; }
const char* run(const Attention&, void*) { return "built without nvcc"; }
bool has_convolution(bool, int64_t, int64_t) { return false; }
const char* run(const Convolution&, void*) { return "built without nvcc"; }

}  // namespace reel::kernels::gpu
