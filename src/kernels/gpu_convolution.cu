#include <algorithm>

#include "bf16.h"
#include "gpu_convolution.h"
#include "launch.h"
#include "wgmma.h"

/// A convolution as products of matrices. A block has 256 places of a frame, box by box, and 96 or
/// 128 output channels; for each tap in time and each of the three columns it fetches a part of
/// the input channels, two rows more than the box has, and multiplies them by the weights of three
/// rows. What lies outside the picture the copy fills with zeros. Two blocks, a pair, fetch half
/// of the weights each for both.
namespace reel::kernels::gpu {
namespace {

using namespace hopper;  // NOLINT

constexpr int kPlaces = 256;  // a block's
constexpr int kSide = 3;
constexpr int kRowBytes = 64, kDepthBytes = 32;
constexpr int kMostStages = 8, kMemory = 227 << 10;

template <class T>
constexpr int kChannels = kRowBytes / sizeof(T);  // fetched at a time

struct Maps {
  CUtensorMap x, weight;
};

struct Work {
  Convolution of;
  int box_rows, box_columns, down, across;  // boxes in a frame
  int frames;                               // that come out of a batch entry

  __host__ __device__ int boxes() const { return down * across * frames * of.batch; }
  __host__ __device__ int x_bytes() const {
    return (box_rows + kSide - 1) * box_columns * kRowBytes;
  }
};

template <int N>
constexpr int kWeightBytes = kSide* N* kRowBytes;

template <int N>
__host__ __device__ int stages_of(const Work& w) {
  const int fit =
      (kMemory - kMostStages * static_cast<int>(sizeof(Slot))) / (w.x_bytes() + kWeightBytes<N>);
  return fit < kMostStages ? fit : kMostStages;
}

/// Which part of a ring of stages is next, and the parity of its phase.
struct Ring {
  int stages, stage = 0;
  unsigned parity = 0;

  __device__ void advance() {
    if (++stage < stages) return;
    stage = 0;
    parity ^= 1;
  }
};

/// A box of this block, and the first of its output channels.
struct Place {
  bool real;  // a pair's second box may be beyond the last
  int frame_in, frame_out, row, column, channel;
};

/// Calls work(place) for all that this block has to do.
template <int N, class Do>
__device__ void for_places(const Work& w, const Do& work) {
  const int parts = w.of.out / N, a_frame = w.down * w.across;
  const int pairs = (w.boxes() + 1) / kPair * parts;
  for (int i = blockIdx.x / kPair; i < pairs; i += gridDim.x / kPair) {
    const int box = i / parts * kPair + static_cast<int>(block_of_cluster());
    const int frame = box / a_frame, at = box % a_frame;
    work(Place{.real = box < w.boxes(),
               .frame_in = frame / w.frames * w.of.frames + frame % w.frames,
               .frame_out = frame,
               .row = at / w.across * w.box_rows,
               .column = at % w.across * w.box_columns,
               .channel = i % parts * N});
  }
}

/// One thread keeps pixels and weights coming.
template <class T, int N>
__device__ void fetch(const Maps& maps, const Work& w, unsigned char* memory, Slot* slots) {
  constexpr int kHalf = N / kPair;
  const int mine = static_cast<int>(block_of_cluster()) * kHalf;
  const int x_bytes = w.x_bytes(), bytes = x_bytes + kWeightBytes<N>;
  Ring ring{stages_of<N>(w)};
  const auto next = [&](const Place& p, int tap, int side, int channel) {
    unsigned char* to = memory + ring.stage * bytes;
    uint64_t& full = slots[ring.stage].full;
    wait(slots[ring.stage].empty, ring.parity ^ 1);
    arrive_expecting(full, bytes);
    copy_box(maps.x, to, full, channel, p.column + side - 1, p.row - 1, p.frame_in + tap);
#pragma unroll 1
    for (int y = 0; y < kSide; ++y) {
      copy_box_to_pair(maps.weight, to + x_bytes + (y * N + mine) * kRowBytes, full, channel,
                       (tap * kSide + y) * kSide + side, p.channel + mine, 0);
    }
    ring.advance();
  };
  for_places<N>(w, [&](const Place& p) {
#pragma unroll 1
    for (int tap_side = 0; tap_side < w.of.taps * kSide; ++tap_side) {
#pragma unroll 1
      for (int channel = 0; channel < w.of.in; channel += kChannels<T>) {
        next(p, tap_side / kSide, tap_side % kSide, channel);
      }
    }
  });
}

template <class T>
__device__ void write_two(T* to, const float* sums, const T* bias) {
  constexpr float kFactor = sizeof(T) == 2 ? 1 : kCutShort;
  const float low = sums[0] * kFactor + widened(bias[0]);
  const float high = sums[1] * kFactor + widened(bias[1]);
  if constexpr (sizeof(T) == 2) {
    *reinterpret_cast<uint32_t*>(to) = bf16_pair(low, high);
  } else {
    *reinterpret_cast<float2*>(to) = {low, high};
  }
}

/// A group's half of each box: 128 places, 64 at a time.
template <class T, int N>
__device__ void multiply(const Work& w, unsigned char* memory, Slot* slots) {
  constexpr int kHalves = 2, kRows = 64;
  const int first = (threadIdx.x / kGroup - 1) * kHalves * kRows;
  const int lane = threadIdx.x % 32, warp = threadIdx.x % kGroup / 32;
  const int x_bytes = w.x_bytes(), bytes = x_bytes + kWeightBytes<N>;
  const int turns = w.of.taps * kSide * w.of.in / kChannels<T>;
  Ring ring{stages_of<N>(w)};
  for_places<N>(w, [&](const Place& p) {
    float sums[kHalves][N / 2];
    int before = 0;
#pragma unroll 1
    for (int turn = 0; turn < turns; ++turn) {
      const Address x = address_of(memory + ring.stage * bytes), weights = x + x_bytes;
      wait(slots[ring.stage].full, ring.parity);
      for (auto& half : sums) pin(half);
      products_may_begin();
#pragma unroll
      for (int y = 0; y < kSide; ++y) {
#pragma unroll
        for (int depth = 0; depth < kRowBytes; depth += kDepthBytes) {
          const bool add = turn + y + depth > 0;
          const uint64_t b = matrix<kRowBytes>(weights + y * N * kRowBytes + depth);
#pragma unroll
          for (int half = 0; half < kHalves; ++half) {
            const int row = first + half * kRows + y * w.box_columns;
            const uint64_t a = matrix<kRowBytes>(x + row * kRowBytes + depth);
            if constexpr (sizeof(T) == 2) {
              product_bf16(sums[half], a, b, add);
            } else {
              product_tf32(sums[half], a, b, add);
            }
          }
        }
      }
      products_begun();
      if (turn > 0) {
        wait_for_products<1>();
        slots[before].release_to_pair();
      }
      before = ring.stage;
      ring.advance();
    }
    wait_for_products<0>();
    for (auto& half : sums) pin(half);
    slots[before].release_to_pair();
    if (!p.real) return;

    const int channel = p.channel + lane % 4 * 2;
    const T* bias = static_cast<const T*>(w.of.bias) + channel;
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
#pragma unroll
      for (int eight = 0; eight < 2; ++eight) {
        const int place = first + half * kRows + warp * 16 + eight * 8 + lane / 4;
        const int row = p.row + place / w.box_columns, column = p.column + place % w.box_columns;
        if (row >= w.of.rows || column >= w.of.columns) continue;
        const int64_t pixel = (int64_t{p.frame_out} * w.of.rows + row) * w.of.columns + column;
        T* y = static_cast<T*>(w.of.y) + pixel * w.of.out + channel;
#pragma unroll
        for (int i = 0; i < N / 8; ++i) {
          write_two(y + 8 * i, sums[half] + 4 * i + 2 * eight, bias + 8 * i);
        }
      }
    }
  });
}

template <class T, int N>
__global__ void __cluster_dims__(kPair) __launch_bounds__(kThreads, 1)
    implicit_gemm_convolution(const __grid_constant__ Maps maps, const __grid_constant__ Work w) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const int stages = stages_of<N>(w);
  auto* slots = reinterpret_cast<Slot*>(memory + stages * (w.x_bytes() + kWeightBytes<N>));
  if (threadIdx.x == 0) {
    for (int i = 0; i < stages; ++i) slots[i].init(kPair);
    barrier_init_done();
  }
  cluster_sync();
  if (threadIdx.x < kGroup) {
    give_registers<24>();
    if (threadIdx.x == 0) fetch<T, N>(maps, w, memory, slots);
  } else {
    take_registers<240>();
    multiply<T, N>(w, memory, slots);
  }
  cluster_sync();  // no block ends while another may arrive at its barriers
}

/// With the boxes that cover a frame with the least around it.
Work work_of(const Convolution& c) {
  Work best{.of = c, .frames = c.frames - c.taps + 1};
  for (int columns = 64; columns >= 8; columns /= 2) {
    Work w = best;
    w.box_columns = columns;
    w.box_rows = kPlaces / columns;
    w.across = ceil_div(c.columns, columns);
    w.down = ceil_div(c.rows, w.box_rows);
    const auto cost = [](const Work& of) { return int64_t{of.down} * of.across * of.x_bytes(); };
    if (!best.box_rows || cost(w) < cost(best)) best = w;
  }
  return best;
}

template <class T, int N>
const char* start(const Convolution& c, cudaStream_t stream) {
  const Work w = work_of(c);
  const auto in = static_cast<uint64_t>(c.in), columns = static_cast<uint64_t>(c.columns),
             rows = static_cast<uint64_t>(c.rows), frames = static_cast<uint64_t>(c.frames),
             out = static_cast<uint64_t>(c.out), stride = static_cast<uint64_t>(c.stride);
  const uint64_t batch = c.batch, places = uint64_t{kSide * kSide} * c.taps;
  constexpr bool kBf16 = sizeof(T) == 2;
  Maps maps;
  const char* why = tensor_map(maps.x, {.data = c.x,
                                        .bf16 = kBf16,
                                        .sizes = {in, columns, rows, frames * batch},
                                        .strides = {in, in * columns, in * columns * rows},
                                        .box = {kChannels<T>, static_cast<uint32_t>(w.box_columns),
                                                static_cast<uint32_t>(w.box_rows + kSide - 1), 1}});
  if (!why) {
    why = tensor_map(maps.weight, {.data = c.weight,
                                   .bf16 = kBf16,
                                   .sizes = {in, places, out, 1},
                                   .strides = {in, stride, stride * out},
                                   .box = {kChannels<T>, 1, N / kPair, 1}});
  }
  if (why) return why;
  const int memory =
      stages_of<N>(w) * (w.x_bytes() + kWeightBytes<N> + static_cast<int>(sizeof(Slot)));
  const int pairs = std::min(ceil_div(w.boxes(), kPair) * (c.out / N), processors() / kPair);
  const cudaError_t error = launch(implicit_gemm_convolution<T, N>, pairs, memory, stream, maps, w);
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace

bool has_convolution(bool bf16, int64_t in, int64_t out) {
  return in % (bf16 ? kChannels<Bf16> : kChannels<float>) == 0 && (out % 96 == 0 || out % 128 == 0);
}

const char* run(const Convolution& c, void* stream) {
  auto* on = static_cast<cudaStream_t>(stream);
  if (c.out % 96 == 0) return c.bf16 ? start<Bf16, 96>(c, on) : start<float, 96>(c, on);
  return c.bf16 ? start<Bf16, 128>(c, on) : start<float, 128>(c, on);
}

}  // namespace reel::kernels::gpu
