#pragma once

#include <cstdint>
#include <cstring>

/// bf16 to fp32 and back, on the CPU and on a GPU. Includes no ATen: nvcc reads it too.
#ifdef __CUDACC__
#include <cuda_bf16.h>
#define REEL_ANYWHERE __host__ __device__
#else
#define REEL_ANYWHERE
#endif

namespace reel::kernels {

using Bf16 = uint16_t;  // its bits

template <class To, class From>
REEL_ANYWHERE inline To same_bits(const From& from) {
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

REEL_ANYWHERE inline float widened(float value) { return value; }
REEL_ANYWHERE inline float widened(Bf16 value) {
  return same_bits<float>(static_cast<uint32_t>(value) << 16);
}

/// To nearest even, as ATen; NaN stays. Without branches, for vectors.
REEL_ANYWHERE inline void round_to(float value, float& to) { to = value; }
REEL_ANYWHERE inline void round_to(float value, Bf16& to) {
  const auto bits = same_bits<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const uint32_t nan = 0U - static_cast<uint32_t>((bits & 0x7fffffff) > 0x7f800000);  // all or none
  to = static_cast<Bf16>((rounded & ~nan) | (0x7fc0 & nan));
}

template <class T>
REEL_ANYWHERE inline void round_two(const float* from, T* to) {
  round_to(from[0], to[0]);
  round_to(from[1], to[1]);
}
#ifdef __CUDA_ARCH__
REEL_ANYWHERE inline void round_two(const float* from, Bf16* to) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(from[0], from[1]);  // one instruction
  memcpy(to, &both, sizeof both);
}
#endif

}  // namespace reel::kernels
