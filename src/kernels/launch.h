#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "hopper.h"

/// What a launch on Hopper needs of the host.
namespace reel::kernels::gpu {

/// Of a tensor, which box copy_box brings and how it lies: rows of the first axis, 64 or 128 bytes,
/// swizzled; what is outside is zeros. Axes from the innermost, whose stride is 1; sizes, strides
/// and the box in values.
struct Boxed {
  const void* data;
  bool bf16;  // or fp32
  uint64_t sizes[4], strides[3];
  uint32_t box[4];
};

/// The same; the runtime does not keep it, or whoever asks next would take it for theirs.
inline cudaError_t taken(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  return error;
}

/// Null, or why there is no map.
inline const char* tensor_map(CUtensorMap& map, const Boxed& x) {
  using Encode = decltype(&cuTensorMapEncodeTiled);
  // From the driver, which is not linked: there are machines without one.
  static const auto encode = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found,
                                                               12000, cudaEnableDefault, &result);
    return taken(error) == cudaSuccess ? reinterpret_cast<Encode>(found) : nullptr;
  }();
  if (!encode) return "the driver has no tensor maps";
  const uint64_t bytes = x.bf16 ? 2 : 4;
  cuuint64_t strides[3];
  for (int i = 0; i < 3; ++i) strides[i] = x.strides[i] * bytes;
  const cuuint64_t sizes[] = {x.sizes[0], x.sizes[1], x.sizes[2], x.sizes[3]};
  const cuuint32_t steps[] = {1, 1, 1, 1};
  const CUresult result =
      encode(&map, x.bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4,
             const_cast<void*>(x.data), sizes, strides, x.box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
             x.box[0] * bytes == 128 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? nullptr : "the driver has no tensor map for these sizes";
}

inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// Of the current device.
inline int processors() {
  int device = 0, count = 2;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
  return count;
}

/// Starts a kernel of ours; it may have all the shared memory that a block can.
template <class... Arguments>
cudaError_t launch(void (*kernel)(Arguments...), int pairs, int memory, cudaStream_t stream,
                   const Arguments&... arguments) {
  constexpr int kMostMemory = 227 << 10;
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kMostMemory);
  if (taken(error) != cudaSuccess) return error;
  kernel<<<hopper::kPair * pairs, hopper::kThreads, memory, stream>>>(arguments...);
  return cudaGetLastError();
}

}  // namespace reel::kernels::gpu
