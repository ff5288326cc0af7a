#include <cuda_runtime.h>

#include <cstdlib>

#include "gpu_rows.h"

namespace reel::kernels::gpu {
namespace {

constexpr int kThreads = 512, kWarp = 32, kMostHeld = 4;

struct Block {
  int thread, threads;
  float* of_warps;

  __device__ float sum(float value) {
    for (int other = kWarp / 2; other; other /= 2) value += __shfl_xor_sync(~0U, value, other);
    __syncthreads();  // the sum before has been read
    if (thread % kWarp == 0) of_warps[thread / kWarp] = value;
    __syncthreads();
    float sum = 0;
    for (int warp = 0; warp < threads / kWarp; ++warp) sum += of_warps[warp];
    return sum;
  }
};

template <class T, int Held, class Work>
__global__ void __launch_bounds__(kThreads) one_token(const Work work) {
  __shared__ float of_warps[kThreads / kWarp];
  Block block{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), of_warps};
  gpu::run<T, Held>(work, blockIdx.x, block);
}

template <class T, int Held, class Work>
const char* start(const Work& work, cudaStream_t stream) {
  const auto vectors = static_cast<int>(work.width / kVector);
  const int threads = ((vectors + Held - 1) / Held + kWarp - 1) / kWarp * kWarp;
  one_token<T, Held><<<static_cast<unsigned>(work.tokens), threads, 0, stream>>>(work);
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

template <class T, class Work>
const char* start(const Work& work, cudaStream_t stream) {
  const int64_t vectors = work.width / kVector;
  if (vectors <= kThreads) return start<T, 1>(work, stream);
  if (vectors <= 2 * kThreads) return start<T, 2>(work, stream);
  return start<T, kMostHeld>(work, stream);
}

template <class... Pointers>
bool on_vectors(Pointers... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

bool aligned(const Chain& c) {
  for (const RowTable& rows : {c.gate, c.scale, c.shift}) {
    if (!on_vectors(rows.first) || rows.stride * sizeof(float) % 16 != 0) return false;
  }
  return on_vectors(c.x, c.y, c.sum, c.normed);
}

bool aligned(const Turn& t) { return on_vectors(t.x, t.weight, t.out); }

template <class Work>
const char* start(const Work& work, bool bf16, void* stream) {
  if (work.tokens == 0) return nullptr;
  if (!aligned(work)) return "rows that are not aligned to 16 bytes";
  auto* on = static_cast<cudaStream_t>(stream);
  return bf16 ? start<Bf16>(work, on) : start<float>(work, on);
}

bool hopper() {
  int device = 0, major = 0, minor = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess &&
         major == 9 && minor == 0;
}

}  // namespace

bool enabled() {
  static const bool can = hopper();
  const char* asked = std::getenv("REEL_FUSED_KERNELS");
  return can && !(asked && *asked == '0');
}

bool fits(int64_t width) { return width % kVector == 0 && width / kVector <= kMostHeld * kThreads; }

const char* run(const Chain& chain, bool bf16, void* stream) { return start(chain, bf16, stream); }
const char* run(const Turn& turn, bool bf16, void* stream) { return start(turn, bf16, stream); }

}  // namespace reel::kernels::gpu
