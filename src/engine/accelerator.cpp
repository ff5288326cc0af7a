#include "accelerator.h"

#include <ATen/ATen.h>

namespace reel::engine {

void set_fp32_precision() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(true);
}

}  // namespace reel::engine
