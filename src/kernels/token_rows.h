#pragma once

#include <cmath>
#include <cstdint>

#include "bf16.h"

/// What is asked of the chains of norms.h, as plain pointers, and what one thread of a GPU's block
/// does about one token. A CPU's threads can play the block: so the tests of this file need no GPU.
///
/// Includes no ATen: nvcc reads it too.
namespace reel::kernels {

/// Which row of fp32 values is whose: token n takes row `row_of[n]`, or without it row n / run.
struct RowTable {
  const float* first = nullptr;
  const int64_t* row_of = nullptr;
  int64_t stride = 0, run = 1;

  REEL_ANYWHERE const float* of(int64_t token) const {
    return first + stride * (row_of ? row_of[token] : token / run);
  }
};

/// sum = x + y·gate, normed = layer_norm(sum)·scale + shift; what is null is left out.
struct Chain {
  const void *x = nullptr, *y = nullptr;
  RowTable gate, scale, shift;
  float eps = 0;
  void *sum = nullptr, *normed = nullptr;
  int64_t tokens = 0, width = 0;
};

/// out = rms_norm(x)·weight, rounded, then its pairs turned by the angles of token n % sequence;
/// without `half`, half the width of a head, not turned.
struct Turn {
  const void* x = nullptr;
  const float *weight = nullptr, *cos = nullptr, *sin = nullptr;
  float eps = 0;
  void* out = nullptr;
  int64_t tokens = 0, width = 0, sequence = 1, half = 0;
};

namespace gpu {

/// What a thread reads and writes at a time.
constexpr int kVector = 8;
template <class T>
struct alignas(16) Vector {
  T values[kVector];
};

/// A thread's share of a token's values, in registers: `Held` vectors, every `threads`-th one.
template <class T, int Held>
class Share {
 public:
  REEL_ANYWHERE Share(int thread, int threads, int64_t width)
      : thread_(thread), threads_(threads), vectors_(width / kVector) {}

  /// Calls work(values, first) for each vector: 8 values, and the place of the first in the token.
  template <class Work>
  REEL_ANYWHERE void each(const Work& work) {
    for (int h = 0; h < Held; ++h) {
      const int64_t vector = thread_ + static_cast<int64_t>(h) * threads_;
      if (vector < vectors_) work(values_[h], vector * kVector);
    }
  }

  REEL_ANYWHERE void load(const void* tokens, int64_t token) {
    const T* row = static_cast<const T*>(tokens) + token * vectors_ * kVector;
    each([&](float* values, int64_t first) { widen(row + first, values); });
  }

  /// Rounds what it holds, too.
  REEL_ANYWHERE void store(void* tokens, int64_t token) {
    T* row = static_cast<T*>(tokens) + token * vectors_ * kVector;
    each([&](float* values, int64_t first) {
      *reinterpret_cast<Vector<T>*>(row + first) = rounded(values);
    });
  }

  REEL_ANYWHERE void round() {
    each([&](float* values, int64_t) { rounded(values); });
  }

  REEL_ANYWHERE float sum() {
    float sum = 0;
    each([&](const float* values, int64_t) {
      for (int i = 0; i < kVector; ++i) sum += values[i];
    });
    return sum;
  }

  REEL_ANYWHERE float squares() {
    float sum = 0;
    each([&](const float* values, int64_t) {
      for (int i = 0; i < kVector; ++i) sum += values[i] * values[i];
    });
    return sum;
  }

  template <class From>
  REEL_ANYWHERE static void widen(const From* from, float* to) {
    const auto vector = *reinterpret_cast<const Vector<From>*>(from);
    for (int i = 0; i < kVector; ++i) to[i] = widened(vector.values[i]);
  }

 private:
  REEL_ANYWHERE static Vector<T> rounded(float* values) {
    Vector<T> result;
    for (int i = 0; i < kVector; ++i) {
      round_to(values[i], result.values[i]);
      values[i] = widened(result.values[i]);
    }
    return result;
  }

  int thread_, threads_;
  int64_t vectors_;
  float values_[Held][kVector] = {};
};

/// What each thread of the token's block runs. Block: `thread` of `threads`, and sum(), which gives
/// every thread the sum of all threads' values.
template <class T, int Held, class Block>
REEL_ANYWHERE void run(const Chain& c, int64_t token, Block& block) {
  using Mine = Share<T, Held>;
  Mine x(block.thread, block.threads, c.width);
  x.load(c.x, token);
  if (c.y) {
    const T* y_row = static_cast<const T*>(c.y) + token * c.width;
    const float* gate_row = c.gate.first ? c.gate.of(token) : nullptr;
    x.each([&](float* values, int64_t first) {
      float y[kVector], gate[kVector];
      Mine::widen(y_row + first, y);
      if (gate_row) Mine::widen(gate_row + first, gate);
      for (int i = 0; i < kVector; ++i) values[i] += gate_row ? y[i] * gate[i] : y[i];
    });
    x.store(c.sum, token);
  }
  if (!c.normed) return;
  const auto width = static_cast<float>(c.width);
  const float mean = block.sum(x.sum()) / width;
  x.each([&](float* values, int64_t) {
    for (int i = 0; i < kVector; ++i) values[i] -= mean;
  });
  const float factor = 1 / std::sqrt(block.sum(x.squares()) / width + c.eps);
  const float *scale_row = c.scale.of(token), *shift_row = c.shift.of(token);
  x.each([&](float* values, int64_t first) {
    float scale[kVector], shift[kVector];
    Mine::widen(scale_row + first, scale);
    Mine::widen(shift_row + first, shift);
    for (int i = 0; i < kVector; ++i) values[i] = values[i] * factor * scale[i] + shift[i];
  });
  x.store(c.normed, token);
}

template <class T, int Held, class Block>
REEL_ANYWHERE void run(const Turn& t, int64_t token, Block& block) {
  using Mine = Share<T, Held>;
  Mine x(block.thread, block.threads, t.width);
  x.load(t.x, token);
  const float factor = 1 / std::sqrt(block.sum(x.squares()) / static_cast<float>(t.width) + t.eps);
  x.each([&](float* values, int64_t first) {
    float weight[kVector];
    Mine::widen(t.weight + first, weight);
    for (int i = 0; i < kVector; ++i) values[i] = values[i] * factor * weight[i];
  });
  if (t.half) {
    x.round();
    const int64_t angles = token % t.sequence * t.half;
    x.each([&](float* values, int64_t first) {
      const float* cos = t.cos + angles + first % (2 * t.half) / 2;
      const float* sin = t.sin + angles + first % (2 * t.half) / 2;
      for (int i = 0; i < kVector; i += 2) {
        const float even = values[i], odd = values[i + 1];
        values[i] = even * cos[i / 2] - odd * sin[i / 2];
        values[i + 1] = even * sin[i / 2] + odd * cos[i / 2];
      }
    });
  }
  x.store(t.out, token);
}

}  // namespace gpu
}  // namespace reel::kernels
