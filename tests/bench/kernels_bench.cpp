// Our kernels for Hopper beside libtorch's, in turns, on random data: kernels_bench cpu|cuda [tiny]
//
// A line {"name", "tflops", "reel_ms", "torch_ms", "difference"} for each of Wan's shapes: medians,
// Reel's rate and the relative L2 between the two; without our kernel only torch's.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bench.h"
#include "reel/kernels/attention.h"
#include "reel/kernels/convolution.h"

namespace reel::bench {
namespace {

using Call = std::function<at::Tensor()>;

struct Run {
  at::Device device;
  bool tiny;

  at::Tensor random(std::vector<int64_t> shape, at::ScalarType dtype) const {
    return at::randn(shape, at::device(device)).to(dtype);
  }

  /// `ours` may be none.
  void compare(const std::string& name, double work, const Call& ours, const Call& torch) const {
    constexpr int kRounds = 5;
    nlohmann::json found{{"name", name}};
    if (ours) {
      const auto right = torch().to(at::kFloat);
      found["difference"] = ((ours() - right).norm() / right.norm()).item<double>();
    }
    std::vector<double> of_ours, of_torch;
    for (int round = 0; round < (tiny ? 1 : kRounds); ++round) {
      const auto measure = [&](const Call& call, std::vector<double>& times) {
        if (call) times.push_back(milliseconds(call));
      };
      if (round % 2 == 0) measure(ours, of_ours);
      measure(torch, of_torch);
      if (round % 2 == 1) measure(ours, of_ours);
    }
    found["torch_ms"] = median(of_torch);
    if (ours) {
      found["reel_ms"] = median(of_ours);
      found["tflops"] = work / median(of_ours) / 1e9;
    }
    std::cout << found << std::endl;
  }

 private:
  /// Of one call, of as many as take a twentieth of a second.
  double milliseconds(const Call& call) const {
    constexpr double kEnough = 0.05;
    const auto several = [&](int count) {
      wait_for(device);
      const Stopwatch watch;
      for (int i = 0; i < count; ++i) call();
      wait_for(device);
      return watch.seconds();
    };
    const int count = tiny ? 1 : 1 + static_cast<int>(kEnough / several(1));
    return several(count) / count * 1e3;
  }

  static double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
  }
};

double flops(std::initializer_list<int64_t> factors) {
  double product = 1;
  for (const int64_t factor : factors) product *= static_cast<double>(factor);
  return product;
}

void attention(const Run& run, const std::string& name, int64_t heads, int64_t queries,
               int64_t keys) {
  if (run.tiny) heads = 2, queries = keys = 16;
  const auto draw = [&](int64_t tokens) {
    return run.random({1, tokens, heads, 128}, at::kBFloat16);
  };
  const auto q = draw(queries), k = draw(keys), v = draw(keys);
  const auto scaled = (q.to(at::kFloat) * (M_LOG2E / std::sqrt(128))).to(at::kBFloat16);
  const auto compare = [&](const std::string& what, const Call& ours) {
    run.compare("attention " + name + what, flops({4, 128, heads, queries, keys}),
                kernels::has_attention(q, k) ? ours : Call(), [&] {
                  return at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2),
                                                          v.transpose(1, 2))
                      .transpose(1, 2);
                });
  };
  compare("", [&] { return kernels::attention(q, k, v); });
  compare(", exponents", [&] { return kernels::attention(scaled, k, v, /*exponents=*/true); });
}

struct Shape {
  int64_t in, out, taps, frames, rows, columns;
};

void convolution(const Run& run, const std::string& name, at::ScalarType dtype, Shape s) {
  if (run.tiny) s.rows = s.columns = 8;
  constexpr auto kLast = at::MemoryFormat::ChannelsLast3d;
  const auto x = run.random({1, s.in, s.frames, s.rows, s.columns}, dtype).contiguous(kLast);
  const auto w = run.random({s.out, s.in, s.taps, 3, 3}, dtype).contiguous(kLast);
  const auto bias = run.random({s.out}, dtype), packed = kernels::packed_weight(w);
  const Call ours = [&] { return kernels::convolution(x, packed, bias); };
  run.compare("convolution " + name + (dtype == at::kFloat ? ", fp32" : ", bf16"),
              flops({2 * 9, s.taps, s.in, s.out, s.frames - s.taps + 1, s.rows, s.columns}),
              kernels::has_convolution(run.device, dtype, w.sizes()) ? ours : Call(), [&] {
                return at::conv3d(x, w, bias, 1, {0, 1, 1});
              });
}

void all(const Run& run) {
  attention(run, "1.3b", 12, 32760, 32760);
  attention(run, "14b", 40, 32760, 32760);
  attention(run, "14b 720p", 40, 75600, 75600);
  attention(run, "5b", 24, 27280, 27280);
  for (const int64_t keys : {512, 1024, 2048, 4096}) {
    attention(run, std::to_string(keys) + " keys", 12, 32760, keys);
  }
  for (const auto dtype : {at::kBFloat16, at::kFloat}) {
    convolution(run, "96", dtype, {96, 96, 3, 6, 480, 832});
    convolution(run, "192", dtype, {192, 192, 3, 6, 240, 416});
    convolution(run, "384", dtype, {384, 384, 3, 4, 120, 208});
    convolution(run, "384 of one frame", dtype, {384, 384, 3, 3, 60, 104});
    convolution(run, "192 to 96, 2D", dtype, {192, 96, 1, 4, 480, 832});
    convolution(run, "5b 256", dtype, {256, 256, 3, 6, 352, 640});
    convolution(run, "5b 512", dtype, {512, 512, 3, 6, 176, 320});
    convolution(run, "5b 1024", dtype, {1024, 1024, 3, 4, 88, 160});
  }
}

}  // namespace
}  // namespace reel::bench

int main(int count, char** arguments) try {
  if (count < 2) return 2;
  const c10::InferenceMode inference;
  reel::bench::all(
      {at::Device(arguments[1]), count > 2 && std::string_view(arguments[2]) == "tiny"});
} catch (const std::exception& fault) {
  std::cerr << fault.what() << '\n';
  return 1;
}
