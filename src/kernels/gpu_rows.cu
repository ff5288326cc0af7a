#include <cuda_runtime.h>

#include <cstdlib>

#include "gpu_rows.h"

namespace reel::kernels::gpu {
namespace {

constexpr int kSmallBlock = 128;

struct Team {
  int thread, threads;
  float* of_warps;

  __device__ float sum(float value) {
    for (int other = min(threads, +kWarp) / 2; other; other /= 2) {
      value += __shfl_xor_sync(~0U, value, other);
    }
    if (threads <= kWarp) return value;
    __syncthreads();  // the sum before has been read
    if (thread % kWarp == 0) of_warps[thread / kWarp] = value;
    __syncthreads();
    float sum = 0;
    for (int warp = 0; warp < threads / kWarp; ++warp) sum += of_warps[warp];
    return sum;
  }
};

template <class T, int Held, class Work>
__global__ void __launch_bounds__(kMostThreads) one_team_a_token(const Work work) {
  __shared__ float of_warps[kMostThreads / kWarp];
  const unsigned token = blockIdx.x * blockDim.y + threadIdx.y;
  if (token >= work.tokens) return;
  Team team{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), of_warps};
  gpu::run<T, Held>(work, token, team);
}

template <class T, int Held, class Work>
void start(const Work& work, int threads, cudaStream_t stream) {
  const dim3 block(threads, threads > kWarp ? 1 : kSmallBlock / threads);
  const unsigned blocks = (work.tokens + block.y - 1) / block.y;
  one_team_a_token<T, Held><<<blocks, block, 0, stream>>>(work);
}

template <class T, class Work>
const char* start(const Work& work, cudaStream_t stream) {
  constexpr decltype(&start<T, 1, Work>) kStart[kMostHeld] = {start<T, 1, Work>, start<T, 2, Work>,
                                                              start<T, 3, Work>, start<T, 4, Work>,
                                                              start<T, 5, Work>, start<T, 6, Work>};
  const TeamSize team = team_of(work.width);
  if (!team.threads) return "tokens of this width cannot be shared out";
  kStart[team.held - 1](work, team.threads, stream);
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
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

bool aligned(const Turn& t) { return on_vectors(t.x, t.weight, t.cos, t.sin, t.out); }
bool aligned(const RmsSilu& r) { return on_vectors(r.x, r.gamma, r.out); }

template <class Work>
const char* start(const Work& work, bool bf16, void* stream) {
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

bool enabled(bool measured) {
  static const bool can = hopper();
  const char* asked = std::getenv("REEL_FUSED_KERNELS");
  const char said = asked ? *asked : '\0';
  return can && said != '0' && (measured || said == '1');
}

bool fits(int64_t tokens, int64_t width) {
  return tokens <= INT32_MAX && width <= INT32_MAX &&
         team_of(static_cast<uint32_t>(width)).threads > 0;
}

const char* run(const Chain& chain, bool bf16, void* stream) { return start(chain, bf16, stream); }
const char* run(const Turn& turn, bool bf16, void* stream) { return start(turn, bf16, stream); }
const char* run(const RmsSilu& rows, bool bf16, void* stream) { return start(rows, bf16, stream); }

}  // namespace reel::kernels::gpu
