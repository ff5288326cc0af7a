#pragma once

#include <cmath>
#include <cstdint>

#include "bf16.h"

/// What is asked of the chains of norms.h, as plain pointers, and what one of a GPU's threads
/// does about one token. A CPU's threads can play the team: so the tests of this file need no GPU.
///
/// Includes no ATen: nvcc reads it too.
namespace reel::kernels {

/// Which row of fp32 values is whose: token n takes row `row_of[n]`, or without it row n / run.
struct RowTable {
  const float* first = nullptr;
  const int64_t* row_of = nullptr;
  int64_t stride = 0;
  uint32_t run = 1;

  REEL_ANYWHERE const float* of(uint32_t token) const {
    return first + stride * (row_of ? row_of[token] : token / run);
  }
};

/// sum = x + y·gate, normed = layer_norm(sum)·scale + shift; what is null is left out.
struct Chain {
  const void *x = nullptr, *y = nullptr;
  RowTable gate, scale, shift;
  float eps = 0;
  void *sum = nullptr, *normed = nullptr;
  uint32_t tokens = 0, width = 0;
};

/// out = rms_norm(x)·weight, rounded, then its pairs turned by the angles of token n % sequence;
/// without `half`, half the width of a head, not turned.
struct Turn {
  const void* x = nullptr;
  const float *weight = nullptr, *cos = nullptr, *sin = nullptr;
  float eps = 0;
  void* out = nullptr;
  uint32_t tokens = 0, width = 0, sequence = 1, half = 0;
};

/// out = silu(x / ‖x‖₂ · √width · gamma); gamma of x's type.
struct RmsSilu {
  const void *x = nullptr, *gamma = nullptr;
  void* out = nullptr;
  uint32_t tokens = 0, width = 0;
};

namespace gpu {

/// What a thread reads and writes at a time.
constexpr int kVector = 8;
template <class T, int Count = kVector>
struct alignas(16) Vector {
  T values[Count];
};

REEL_ANYWHERE inline float silu(float x) {
#ifdef __CUDA_ARCH__
  return __fdividef(x, 1 + __expf(-x));
#else
  return x / (1 + std::exp(-x));
#endif
}

/// How many threads work on a token, each on equally many vectors; none, if that cannot be.
struct TeamSize {
  int threads = 0, held = 0;
};
constexpr int kWarp = 32, kMostThreads = 512, kMostHeld = 6;

/// Most of a warp, which need not wait for others; then as many vectors a thread as registers
/// allow, which are all on their way at once.
inline TeamSize team_of(uint32_t width) {
  const int vectors = static_cast<int>(width / kVector);
  if (width % kVector != 0 || vectors == 0) return {};
  TeamSize team{vectors & -vectors, 0};  // a power of two, for sums by halves
  team.held = vectors / team.threads;
  while (team.threads > 1 && team.held * 2 <= (team.threads > kWarp ? kMostHeld : kMostHeld / 2)) {
    team = {team.threads / 2, team.held * 2};
  }
  return team.held <= kMostHeld && team.threads <= kMostThreads ? team : TeamSize{};
}

/// A thread's share of a token's values, in registers: `Held` vectors, every `threads`-th one.
template <class T, int Held>
class Share {
 public:
  REEL_ANYWHERE Share(int thread, int threads) : thread_(thread), threads_(threads) {}

  /// Calls work(values, first) for each vector: 8 values, and the place of the first in the token.
  template <class Work>
  REEL_ANYWHERE void each(const Work& work) {
    for (int h = 0; h < Held; ++h) work(values_[h], place(h));
  }

  /// The same, beside what `other` has fetched of the same places.
  template <class Work>
  REEL_ANYWHERE void each(const Share& other, const Work& work) {
    for (int h = 0; h < Held; ++h) {
      float others[kVector];
      widen(other.fetched_[h].values, others);
      work(values_[h], others, place(h));
    }
  }

  /// Begins to read, and goes on.
  REEL_ANYWHERE void fetch(const T* row) {
    for (int h = 0; h < Held; ++h) {
      fetched_[h] = *reinterpret_cast<const Vector<T>*>(row + place(h));
    }
  }

  /// Holds what it has fetched.
  REEL_ANYWHERE void take() {
    for (int h = 0; h < Held; ++h) widen(fetched_[h].values, values_[h]);
  }

  REEL_ANYWHERE void load(const T* row) {
    fetch(row);
    take();
  }

  /// Rounds what it holds, too.
  REEL_ANYWHERE void store(T* row) {
    each([&](float* values, int first) {
      *reinterpret_cast<Vector<T>*>(row + first) = rounded(values);
    });
  }

  REEL_ANYWHERE void round() {
    each([&](float* values, int) { rounded(values); });
  }

  REEL_ANYWHERE float sum() {
    float sum = 0;
    each([&](const float* values, int) {
      for (int i = 0; i < kVector; ++i) sum += values[i];
    });
    return sum;
  }

  REEL_ANYWHERE float squares() {
    float sum = 0;
    each([&](const float* values, int) {
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
    for (int i = 0; i < kVector; i += 2) round_two(values + i, result.values + i);
    for (int i = 0; i < kVector; ++i) values[i] = widened(result.values[i]);
    return result;
  }

  /// Where in the token its vector number `h` begins.
  REEL_ANYWHERE int place(int h) const { return (thread_ + h * threads_) * kVector; }

  int thread_, threads_;
  Vector<T> fetched_[Held];
  float values_[Held][kVector];
};

template <class T>
REEL_ANYWHERE const T* values_of(const void* tokens, uint32_t token, uint32_t width) {
  return static_cast<const T*>(tokens) + static_cast<size_t>(token) * width;
}
template <class T>
REEL_ANYWHERE T* values_of(void* tokens, uint32_t token, uint32_t width) {
  return static_cast<T*>(tokens) + static_cast<size_t>(token) * width;
}

/// What each of a token's threads runs. Team: `thread` of `threads`, and sum(), which gives every
/// thread the sum of all threads' values.
template <class T, int Held, class Team>
REEL_ANYWHERE void run(const Chain& c, uint32_t token, Team& team) {
  using Mine = Share<T, Held>;
  Mine x(team.thread, team.threads);
  Mine y(team.thread, team.threads);
  x.fetch(values_of<T>(c.x, token, c.width));
  if (c.y) y.fetch(values_of<T>(c.y, token, c.width));
  x.take();
  if (c.y) {
    const float* gate_row = c.gate.first ? c.gate.of(token) : nullptr;
    x.each(y, [&](float* values, const float* added, int first) {
      float gate[kVector];
      if (gate_row) Mine::widen(gate_row + first, gate);
      for (int i = 0; i < kVector; ++i) values[i] += gate_row ? added[i] * gate[i] : added[i];
    });
    x.store(values_of<T>(c.sum, token, c.width));
  }
  if (!c.normed) return;
  const auto width = static_cast<float>(c.width);
  const float mean = team.sum(x.sum()) / width;
  x.each([&](float* values, int) {
    for (int i = 0; i < kVector; ++i) values[i] -= mean;
  });
  const float factor = 1 / std::sqrt(team.sum(x.squares()) / width + c.eps);
  const float *scale_row = c.scale.of(token), *shift_row = c.shift.of(token);
  x.each([&](float* values, int first) {
    float scale[kVector], shift[kVector];
    Mine::widen(scale_row + first, scale);
    Mine::widen(shift_row + first, shift);
    for (int i = 0; i < kVector; ++i) values[i] = values[i] * factor * scale[i] + shift[i];
  });
  x.store(values_of<T>(c.normed, token, c.width));
}

template <class T, int Held, class Team>
REEL_ANYWHERE void run(const Turn& t, uint32_t token, Team& team) {
  using Mine = Share<T, Held>;
  using Angles = Vector<float, kVector / 2>;
  Mine x(team.thread, team.threads);
  x.load(values_of<T>(t.x, token, t.width));
  const float factor = 1 / std::sqrt(team.sum(x.squares()) / static_cast<float>(t.width) + t.eps);
  x.each([&](float* values, int first) {
    float weight[kVector];
    Mine::widen(t.weight + first, weight);
    for (int i = 0; i < kVector; ++i) values[i] = values[i] * factor * weight[i];
  });
  if (t.half) {
    x.round();
    const uint32_t angles = token % t.sequence * t.half;
    x.each([&](float* values, int first) {
      const uint32_t at = angles + static_cast<uint32_t>(first) % (2 * t.half) / 2;
      const auto cos = *reinterpret_cast<const Angles*>(t.cos + at);
      const auto sin = *reinterpret_cast<const Angles*>(t.sin + at);
      for (int i = 0; i < kVector; i += 2) {
        const float even = values[i], odd = values[i + 1];
        values[i] = even * cos.values[i / 2] - odd * sin.values[i / 2];
        values[i + 1] = even * sin.values[i / 2] + odd * cos.values[i / 2];
      }
    });
  }
  x.store(values_of<T>(t.out, token, t.width));
}

template <class T, int Held, class Team>
REEL_ANYWHERE void run(const RmsSilu& r, uint32_t token, Team& team) {
  using Mine = Share<T, Held>;
  Mine x(team.thread, team.threads);
  x.load(values_of<T>(r.x, token, r.width));
  const float norm = std::sqrt(team.sum(x.squares()));
  const float factor = std::sqrt(static_cast<float>(r.width)) / (norm < 1e-12F ? 1e-12F : norm);
  x.each([&](float* values, int first) {
    float gamma[kVector];
    Mine::widen(static_cast<const T*>(r.gamma) + first, gamma);
    for (int i = 0; i < kVector; ++i) values[i] = silu(values[i] * factor * gamma[i]);
  });
  x.store(values_of<T>(r.out, token, r.width));
}

}  // namespace gpu
}  // namespace reel::kernels
