#pragma once

#include <cuda.h>

#include <cstdint>

/// What a Hopper GPU can do beyond CUDA C++, by its PTX (NVIDIA's "PTX ISA", for sm_90a).
namespace reel::kernels::hopper {

using Address = uint32_t;  // in shared memory

__device__ inline Address address_of(const void* shared) {
  return static_cast<Address>(__cvta_generic_to_shared(shared));
}

/// Barriers in shared memory. A phase ends once so many threads have arrived and all bytes that
/// were expected are there; who waits names the phase's parity, 0 for the first.

__device__ inline void barrier_init(uint64_t& barrier, int threads) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address_of(&barrier)), "r"(threads));
}

__device__ inline void barrier_init_done() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ inline void arrive(uint64_t& barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address_of(&barrier)) : "memory");
}

/// At the same barrier of another block of the cluster, or of this one.
__device__ inline void arrive_at(uint64_t& barrier, uint32_t block) {
  asm volatile(
      "{ .reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there]; }" ::"r"(address_of(&barrier)),
      "r"(block)
      : "memory");
}

__device__ inline void arrive_expecting(uint64_t& barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address_of(&barrier)),
               "r"(bytes)
               : "memory");
}

__device__ inline void wait(uint64_t& barrier, unsigned parity) {
  asm volatile(
      "{ .reg .pred done;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again; }" ::"r"(address_of(&barrier)),
      "r"(parity)
      : "memory");
}

__device__ inline uint32_t block_of_cluster() {
  uint32_t block;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(block));
  return block;
}

__device__ inline void cluster_sync() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

/// The block's own barriers, 1 to 15: half of `threads` wait for those who arrive.
__device__ inline void named_wait(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

__device__ inline void named_arrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

/// Copies a box of a [batch, tokens, heads, dim] tensor to shared memory and tells `barrier`.
__device__ inline void copy_box(const CUtensorMap& map, void* to, uint64_t& barrier, int dim,
                                int head, int token, int entry) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(address_of(to)),
      "l"(&map), "r"(address_of(&barrier)), "r"(dim), "r"(head), "r"(token), "r"(entry)
      : "memory");
}

/// The same to both blocks of a pair, whose two barriers are told.
__device__ inline void copy_box_to_pair(const CUtensorMap& map, void* to, uint64_t& barrier,
                                        int dim, int head, int token, int entry) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(address_of(to)),
      "l"(&map), "r"(address_of(&barrier)), "r"(dim), "r"(head), "r"(token), "r"(entry),
      "h"(static_cast<uint16_t>(0b11))
      : "memory");
}

/// Of the registers that a block has at its start, each group of four warps may keep fewer and
/// others have more.
template <int Registers>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

template <int Registers>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}

/// wgmma: products of 64 × 128 values by a group of four warps, 16 deep, bf16 summed in fp32, that
/// go on beside the threads. Of the 64 a thread has, value i is in row
/// 16·warp + lane / 4 + 8·(i / 2 % 2) and column 8·(i / 4) + 2·(lane % 4) + i % 2; bf16 pairs of
/// 16 columns lie in four registers as what is multiplied.

/// Rows of 64 bf16, swizzled in eights. `next_panel`: how far the next 64 columns are.
__device__ inline uint64_t matrix(Address at, int next_panel = 16) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kEightRows = 8 * 128;
  return uint64_t{(at & 0x3FFFF) >> 4} | static_cast<uint64_t>(next_panel >> 4) << 16 |
         (kEightRows >> 4) << 32 | kSwizzle128;
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
#define REEL_8(i, x) x(i), x(i + 1), x(i + 2), x(i + 3), x(i + 4), x(i + 5), x(i + 6), x(i + 7)
#define REEL_64(x) REEL_8(0, x), REEL_8(8, x), REEL_8(16, x), REEL_8(24, x), \
                   REEL_8(32, x), REEL_8(40, x), REEL_8(48, x), REEL_8(56, x)
#define REEL_SUM(i) "+f"(sums[i])
#define REEL_SUMS \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20," \
  " %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39," \
  " %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58," \
  " %59, %60, %61, %62, %63}"
// clang-format on

/// sums = a bᵀ, or added to them: a [64, 16] and b [128, 16] in shared memory.
__device__ inline void product(float (&sums)[64], uint64_t a, uint64_t b, bool add) {
  asm volatile(
      "{ .reg .pred add;\n"
      "setp.ne.b32 add, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " REEL_SUMS
      ", %64, %65, add, 1, 1, 0, 0; }"
      : REEL_64(REEL_SUM)
      : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

/// sums = a b, or added to them: a [64, 16] in registers, b [16, 128] in shared memory.
__device__ inline void product(float (&sums)[64], const uint32_t* a, uint64_t b, bool add) {
  asm volatile(
      "{ .reg .pred add;\n"
      "setp.ne.b32 add, %69, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " REEL_SUMS
      ", {%64, %65, %66, %67}, %68, add, 1, 1, 1; }"
      : REEL_64(REEL_SUM)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));
}

#undef REEL_SUMS
#undef REEL_SUM
#undef REEL_64
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
