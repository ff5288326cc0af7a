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

/// Copies a box of a tensor of four axes, from where it begins in each, innermost first, to shared
/// memory and tells `barrier`.
__device__ inline void copy_box(const CUtensorMap& map, void* to, uint64_t& barrier, int first,
                                int second, int third, int fourth) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(address_of(to)),
      "l"(&map), "r"(address_of(&barrier)), "r"(first), "r"(second), "r"(third), "r"(fourth)
      : "memory");
}

/// The same to both blocks of a pair, whose two barriers are told.
__device__ inline void copy_box_to_pair(const CUtensorMap& map, void* to, uint64_t& barrier,
                                        int first, int second, int third, int fourth) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(address_of(to)),
      "l"(&map), "r"(address_of(&barrier)), "r"(first), "r"(second), "r"(third), "r"(fourth),
      "h"(static_cast<uint16_t>(0b11))
      : "memory");
}

/// How our kernels share the work: blocks in pairs, a block of three groups of four warps, of
/// which one fetches what the other two multiply.
constexpr int kPair = 2, kGroup = 128, kThreads = 3 * kGroup;

/// Of a place in shared memory that is filled by copies and emptied by those who multiply.
struct Slot {
  uint64_t full, empty;

  /// `blocks`: whose warps read of what is copied here.
  __device__ void init(int blocks) {
    constexpr int kWarps = 2 * kGroup / 32;
    barrier_init(full, 1);
    barrier_init(empty, blocks * kWarps);
  }

  /// Called by whole warps, of what was copied to both blocks of the pair.
  __device__ void release_to_pair() {
    if (threadIdx.x % 32 < kPair) arrive_at(empty, threadIdx.x % 32);
  }
};

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

}  // namespace reel::kernels::hopper
