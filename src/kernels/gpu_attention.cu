#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>

#include "gpu_attention.h"
#include "launch.h"
#include "wgmma.h"

/// Attention as in FlashAttention-3 (Shah et al., 2024): of each block one group of warps fetches
/// keys and values, and two have 64 queries each; while one of them takes exponentials, the tensor
/// cores work for the other. Two blocks, a pair, fetch half of the keys each for both.
///
/// Not as there: exponentials are relative to the largest score among the first keys, not among
/// all so far, or to nothing. With a bf16's range of exponents that is as exact, unless scores are
/// larger by far: then the sums tell, and the tile is done again by a kernel that follows the
/// largest. On a GPU at its limit of power fewer instructions are a higher clock.
namespace reel::kernels::gpu {
namespace {

using namespace hopper;  // NOLINT

constexpr int kTile = 128;  // queries of a block, keys of a turn
constexpr int kGroupRows = kTile / 2;
constexpr int kPanel = 64, kRowBytes = 128;  // as wide as swizzled rows can be
constexpr int kPanelBytes = kTile * kRowBytes, kTileBytes = 2 * kPanelBytes;
constexpr int kStages = 2;
/// Of exponentials: larger, and times values it might be no fp32; smaller, and parts of it might.
constexpr float kLargeSum = 1e30F, kSmallSum = 1e-20F;

/// What exponentials are relative to.
enum class Base { FirstKeys, Nothing, LargestSoFar };

struct Tile {
  uint16_t panels[kHeadDim / kPanel][kTile][kPanel];
};

struct Shared {
  Tile q, k[kStages], v[kStages];
  Slot of_q, of_k[kStages], of_v[kStages];
};

struct Maps {
  CUtensorMap q, k, v;
};

struct Work {
  Attention of;
  int pairs_of_tiles;  // of a head's queries
  int turns;           // over the keys
  float scale;         // of scores, so that they are exponents of two
};

/// The two tiles of queries that a pair of blocks has at a time.
struct Place {
  int tile, pair, head, entry;

  __device__ int first_query() const {
    return (kPair * pair + static_cast<int>(block_of_cluster())) * kTile;
  }
};

/// Calls work(place, n) for all that this pair has to do, n = 0, 1, …
template <Base kBase, class Do>
__device__ void for_places(const Work& w, const Do& work) {
  const int tiles = w.pairs_of_tiles * w.of.heads * w.of.batch;
  int n = 0;
  for (int tile = blockIdx.x / kPair; tile < tiles; tile += gridDim.x / kPair) {
    if (kBase == Base::LargestSoFar && !w.of.again[tile]) continue;
    const int head = tile / w.pairs_of_tiles;
    work(Place{tile, tile % w.pairs_of_tiles, head % w.of.heads, head / w.of.heads}, n++);
  }
}

/// One thread keeps queries, keys and values coming; the last keys first.
template <Base kBase>
__device__ void fetch(const Maps& maps, const Work& w, Shared& m) {
  int turn = 0;
  const auto half_for_both = [&](const CUtensorMap& map, Tile& tile, Slot& slot, const Place& at,
                                 int key) {
    constexpr int kHalf = kTile / kPair;
    const int mine = kHalf * static_cast<int>(block_of_cluster());
    wait(slot.empty, (turn / kStages & 1) ^ 1);
    arrive_expecting(slot.full, kTileBytes);
    for (int panel = 0; panel < kHeadDim / kPanel; ++panel) {
      copy_box_to_pair(map, tile.panels[panel][mine], slot.full, panel * kPanel, at.head,
                       key + mine, at.entry);
    }
  };
  for_places<kBase>(w, [&](const Place& at, int n) {
    wait(m.of_q.empty, (n & 1) ^ 1);
    arrive_expecting(m.of_q.full, kTileBytes);
    for (int panel = 0; panel < kHeadDim / kPanel; ++panel) {
      copy_box(maps.q, m.q.panels[panel], m.of_q.full, panel * kPanel, at.head, at.first_query(),
               at.entry);
    }
#pragma unroll 1
    for (int left = w.turns; left-- > 0; ++turn) {
      const int stage = turn % kStages;
      half_for_both(maps.k, m.k[stage], m.of_k[stage], at, left * kTile);
      half_for_both(maps.v, m.v[stage], m.of_v[stage], at, left * kTile);
    }
  });
}

/// Over the four lanes that share a row.
template <class Combine>
__device__ float of_row(float value, const Combine& combine) {
  value = combine(value, __shfl_xor_sync(~0U, value, 1));
  return combine(value, __shfl_xor_sync(~0U, value, 2));
}

/// The two rows of a thread: what their scores are relative to, and the sums of exponentials.
template <Base kBase>
struct Softmax {
  float offset[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0}, shrink[2];

  /// Scores become their exponentials. With the largest so far as base, what was summed before is
  /// to be multiplied by `shrink`.
  template <bool kFirst>
  __device__ void take(float (&s)[64], float scale) {
    if constexpr (kBase == Base::LargestSoFar || (kBase == Base::FirstKeys && kFirst)) {
      float most[2] = {-INFINITY, -INFINITY};
#pragma unroll
      for (int i = 0; i < 64; ++i) most[i / 2 % 2] = fmaxf(most[i / 2 % 2], s[i]);
#pragma unroll
      for (int row = 0; row < 2; ++row) {
        const float before = offset[row];
        offset[row] = fmaxf(before, scale * of_row(most[row], fmaxf));
        shrink[row] = hopper::exp2(before - offset[row]);
        sum[row] *= shrink[row];
      }
    }
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      if constexpr (kBase != Base::Nothing) s[i] = fmaf(s[i], scale, -offset[i / 2 % 2]);
      s[i] = hopper::exp2(s[i]);
      sum[i / 2 % 2] += s[i];
    }
  }
};

__device__ void round(const float (&values)[64], uint32_t (&pairs)[32]) {
#pragma unroll
  for (int i = 0; i < 32; ++i) pairs[i] = bf16_pair(values[2 * i], values[2 * i + 1]);
}

/// s = q kᵀ
__device__ void begin_scores(float (&s)[64], Address q, const Tile& k) {
  pin(s);
  products_may_begin();
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
    const int at = step / 4 * kPanelBytes + step % 4 * 32;
    product_bf16(s, matrix<kRowBytes>(q + at), matrix<kRowBytes>(address_of(&k) + at), step > 0);
  }
  products_begun();
}

/// o = p v, or added to it.
__device__ void begin_output(float (&o)[64], uint32_t (&p)[32], const Tile& v, bool add) {
  pin(o);
  pin(p);
  products_may_begin();
#pragma unroll
  for (int step = 0; step < kTile / 16; ++step) {
    product_bf16(o, p + 4 * step,
                 matrix<kRowBytes>(address_of(&v) + step * 16 * kRowBytes, kPanelBytes),
                 add || step > 0);
  }
  products_begun();
}

/// A group's 64 queries of each tile.
template <Base kBase>
__device__ void attend(const Work& w, Shared& m) {
  const int group = threadIdx.x / kGroup - 1, lane = threadIdx.x % 32;
  const Address q = address_of(m.q.panels[0][group * kGroupRows]);
  const int mine = 1 + group, others = 2 - group;  // whose turn at the tensor cores it is
  if (group == 1) named_arrive(others, 2 * kGroup);

  int turn = 0;
  for_places<kBase>(w, [&](const Place& at, int n) {
    float s[64], o[64];
    uint32_t p[32];
    Softmax<kBase> softmax;
    const auto k_is_there = [&] { wait(m.of_k[turn % kStages].full, turn / kStages & 1); };

    // The first turn: keys beyond the last are nothing.
    wait(m.of_q.full, n & 1);
    k_is_there();
    begin_scores(s, q, m.k[turn % kStages]);
    wait_for_products<0>();
    pin(s);
    m.of_k[turn % kStages].release_to_pair();
    const int keys = w.of.keys - (w.turns - 1) * kTile - lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      if (i / 4 * 8 + i % 2 >= keys) s[i] = -INFINITY;
    }
    softmax.template take<true>(s, w.scale);
    round(s, p);

    // Scores of the next keys and values of the last ones at once.
#pragma unroll 1
    for (int left = w.turns - 1; left > 0; --left) {
      const int stage = turn % kStages, parity = turn / kStages & 1;
      const bool first = left == w.turns - 1;
      ++turn;
      k_is_there();
      named_wait(mine, 2 * kGroup);
      begin_scores(s, q, m.k[turn % kStages]);
      wait(m.of_v[stage].full, parity);
      begin_output(o, p, m.v[stage], !first);
      named_arrive(others, 2 * kGroup);
      wait_for_products<1>();
      pin(s);
      m.of_k[turn % kStages].release_to_pair();
      softmax.template take<false>(s, w.scale);
      wait_for_products<0>();
      pin(o);
      pin(p);
      m.of_v[stage].release_to_pair();
      if constexpr (kBase == Base::LargestSoFar) {
#pragma unroll
        for (int i = 0; i < 64; ++i) o[i] *= softmax.shrink[i / 2 % 2];
      }
      round(s, p);
    }
    if (lane == 0) arrive(m.of_q.empty);

    wait(m.of_v[turn % kStages].full, turn / kStages & 1);
    begin_output(o, p, m.v[turn % kStages], w.turns > 1);
    wait_for_products<0>();
    pin(o);
    m.of_v[turn % kStages].release_to_pair();
    ++turn;

#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const float sum = of_row(softmax.sum[row], [](float a, float b) { return a + b; });
      const bool good = sum > kSmallSum && sum < kLargeSum;
      if (kBase != Base::LargestSoFar && !good) w.of.again[at.tile] = 1;
      const int query = at.first_query() + group * kGroupRows + threadIdx.x % kGroup / 32 * 16 +
                        lane / 4 + 8 * row;
      if (query >= w.of.queries) continue;
      const int64_t token = int64_t{at.entry} * w.of.queries + query;
      auto* out = static_cast<uint32_t*>(w.of.out) +
                  (token * w.of.heads + at.head) * (kHeadDim / 2) + lane % 4;
      const float whole = 1 / sum;
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        const int value = 4 * i + 2 * row;
        out[4 * i] = bf16_pair(o[value] * whole, o[value + 1] * whole);
      }
    }
  });
}

template <Base kBase>
__global__ void __cluster_dims__(kPair) __launch_bounds__(kThreads, 1)
    flash_attention(const __grid_constant__ Maps maps, const __grid_constant__ Work work) {
  extern __shared__ __align__(1024) unsigned char memory[];
  auto& m = *reinterpret_cast<Shared*>(memory);
  if (threadIdx.x == 0) {
    m.of_q.init(1);
    for (int stage = 0; stage < kStages; ++stage) {
      m.of_k[stage].init(kPair);
      m.of_v[stage].init(kPair);
    }
    barrier_init_done();
  }
  cluster_sync();
  if (threadIdx.x < kGroup) {
    give_registers<24>();
    if (threadIdx.x == 0) fetch<kBase>(maps, work, m);
  } else {
    take_registers<240>();
    attend<kBase>(work, m);
  }
  cluster_sync();  // no block ends while another may arrive at its barriers
}

const char* map_of(CUtensorMap& map, const void* x, const Attention& a, int tokens, int rows) {
  const uint64_t d = kHeadDim, heads = a.heads, all = tokens;
  return tensor_map(map, {.data = x,
                          .bf16 = true,
                          .sizes = {d, heads, all, static_cast<uint64_t>(a.batch)},
                          .strides = {d, d * heads, d * heads * all},
                          .box = {kPanel, 1, static_cast<uint32_t>(rows), 1}});
}

Work work_of(const Attention& a) {
  return {a, ceil_div(a.queries, kPair * kTile), ceil_div(a.keys, kTile),
          a.exponents ? 1 : static_cast<float>(M_LOG2E / std::sqrt(kHeadDim))};
}

}  // namespace

int64_t tiles_of(const Attention& a) {
  return int64_t{work_of(a).pairs_of_tiles} * a.heads * a.batch;
}

const char* run(const Attention& a, void* stream) {
  Maps maps;
  for (const char* why :
       {map_of(maps.q, a.q, a, a.queries, kTile), map_of(maps.k, a.k, a, a.keys, kTile / kPair),
        map_of(maps.v, a.v, a, a.keys, kTile / kPair)}) {
    if (why) return why;
  }
  const auto pairs = static_cast<int>(std::min<int64_t>(tiles_of(a), processors() / kPair));
  const Work work = work_of(a);
  const auto start = [&](const auto& kernel) {
    return launch(kernel, pairs, sizeof(Shared), static_cast<cudaStream_t>(stream), maps, work);
  };
  cudaError_t error =
      start(a.exponents ? flash_attention<Base::Nothing> : flash_attention<Base::FirstKeys>);
  if (error == cudaSuccess) error = start(flash_attention<Base::LargestSoFar>);
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace reel::kernels::gpu
