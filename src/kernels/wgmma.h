#pragma once

#include "hopper.h"

/// wgmma: products of matrices by a group of four warps, which go on beside the threads; bf16, or
/// fp32 of which TF32's bits are read, summed in fp32.
///
/// Of the sums, 64 rows of N columns, a thread has N / 2: value i is in row
/// 16·warp + lane / 4 + 8·(i / 2 % 2) and column 8·(i / 4) + 2·(lane % 4) + i % 2. What is
/// multiplied is 32 bytes deep; from registers, four of bf16 pairs, which lie as the sums of 16
/// columns do.
namespace reel::kernels::hopper {

/// Rows in shared memory, kRowBytes of each (64 or 128), swizzled in eights as copy_box leaves
/// them. `next_panel`: how far the next columns are, where rows are the depth.
template <int kRowBytes>
__device__ inline uint64_t matrix(Address at, int next_panel = 16) {
  static_assert(kRowBytes == 64 || kRowBytes == 128);
  constexpr uint64_t kSwizzle = kRowBytes == 128 ? 1 : 2, kEightRows = 8 * kRowBytes;
  return uint64_t{(at & 0x3FFFF) >> 4} | static_cast<uint64_t>(next_panel >> 4) << 16 |
         (kEightRows >> 4) << 32 | kSwizzle << 62;
}

/// What was written to registers that products read or add to is there.
__device__ inline void products_may_begin() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/// Those since the last call become one group.
__device__ inline void products_begun() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/// Until all groups but the last `Left` are done.
template <int Left>
__device__ inline void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Left) : "memory");
}

/// Keeps the compiler from moving reads and writes of what products work on across this place.
template <int N>
__device__ inline void pin(float (&values)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+f"(values[i])::"memory");
}

template <int N>
__device__ inline void pin(uint32_t (&values)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+r"(values[i])::"memory");
}

// clang-format off
#define REEL_8(i) "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), \
                  "+f"(sums[i + 4]), "+f"(sums[i + 5]), "+f"(sums[i + 6]), "+f"(sums[i + 7])
#define REEL_48 REEL_8(0), REEL_8(8), REEL_8(16), REEL_8(24), REEL_8(32), REEL_8(40)
#define REEL_64 REEL_48, REEL_8(48), REEL_8(56)
#define REEL_NAMES_48 \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15," \
  " %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31," \
  " %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47}"
#define REEL_NAMES_64 \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15," \
  " %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31," \
  " %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47," \
  " %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"

#define REEL_PRODUCT(add, shape, sums, factors) \
  "{ .reg .pred add;\n" \
  "setp.ne.b32 add, " add ", 0;\n" \
  "wgmma.mma_async.sync.aligned." shape " " sums ", " factors "; }"
// clang-format on

/// sums = a bᵀ, or added to them: a of 64 rows, b of 96 or 128, in shared memory.

__device__ inline void product_bf16(float (&sums)[48], uint64_t a, uint64_t b, bool add) {
  asm volatile(
      REEL_PRODUCT("%50", "m64n96k16.f32.bf16.bf16", REEL_NAMES_48, "%48, %49, add, 1, 1, 0, 0")
      : REEL_48
      : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

__device__ inline void product_bf16(float (&sums)[64], uint64_t a, uint64_t b, bool add) {
  asm volatile(
      REEL_PRODUCT("%66", "m64n128k16.f32.bf16.bf16", REEL_NAMES_64, "%64, %65, add, 1, 1, 0, 0")
      : REEL_64
      : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

__device__ inline void product_tf32(float (&sums)[48], uint64_t a, uint64_t b, bool add) {
  asm volatile(REEL_PRODUCT("%50", "m64n96k8.f32.tf32.tf32", REEL_NAMES_48, "%48, %49, add, 1, 1")
               : REEL_48
               : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

__device__ inline void product_tf32(float (&sums)[64], uint64_t a, uint64_t b, bool add) {
  asm volatile(REEL_PRODUCT("%66", "m64n128k8.f32.tf32.tf32", REEL_NAMES_64, "%64, %65, add, 1, 1")
               : REEL_64
               : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

/// sums = a b, or added to them: a of 64 rows in registers, b of 16 rows in shared memory.
__device__ inline void product_bf16(float (&sums)[64], const uint32_t* a, uint64_t b, bool add) {
  asm volatile(REEL_PRODUCT("%69", "m64n128k16.f32.bf16.bf16", REEL_NAMES_64,
                            "{%64, %65, %66, %67}, %68, add, 1, 1, 1")
               : REEL_64
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));
}

#undef REEL_PRODUCT
#undef REEL_NAMES_64
#undef REEL_NAMES_48
#undef REEL_64
#undef REEL_48
#undef REEL_8

__device__ inline float exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline uint32_t bf16_pair(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

}  // namespace reel::kernels::hopper
