#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "device.h"

/// Of tests that also run on a GPU: without one they say so, and ctest counts them as skipped.
int main(int count, char** arguments) {
  constexpr int kSkipped = 77;
  testing::InitGoogleTest(&count, arguments);
  if (reel::test::device().is_cuda()) {
    if (!at::hasCUDA() || at::detail::getCUDAHooks().getNumGPUs() == 0) {
      fmt::print("skipped: REEL_TEST_DEVICE is cuda, and this machine has no usable GPU\n");
      return kSkipped;
    }
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
  }
  return RUN_ALL_TESTS();
}
