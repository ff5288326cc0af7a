#pragma once

#include <ATen/ATen.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

/// Where a test runs and where its files are; both may be set from outside.
namespace reel::test {

/// REEL_TEST_DEVICE, `cpu` (the default) or `cuda`: what tests of numerics run on.
inline at::Device device() {
  const char* name = std::getenv("REEL_TEST_DEVICE");
  return name && std::string_view(name) == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

inline at::Tensor on_device(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(device()) : tensor;
}

/// How far a result in fp32 may be from its golden: `cpu` there. On a GPU, without TF32, sums go in
/// another order, and convolutions by other algorithms: 1e-4, or `cuda`.
inline double bound(double cpu, double cuda = 1e-4) { return device().is_cuda() ? cuda : cpu; }

/// The repository: REEL_SOURCE_DIR, by default where it was when this was built.
inline std::filesystem::path source_folder() {
  const char* moved = std::getenv("REEL_SOURCE_DIR");
  return moved ? moved : REEL_SOURCE_DIR;
}

inline std::filesystem::path golden_folder() { return source_folder() / "tests/goldens"; }

}  // namespace reel::test
