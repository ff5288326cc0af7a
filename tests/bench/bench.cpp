#include "bench.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "random_weights.h"
#include "reel/base/error.h"
#include "reel/weights/safetensors.h"

namespace reel::bench {
namespace {

using nlohmann::json;
namespace profiler = torch::autograd::profiler;

/// Records operations, kernels and calls of the CUDA runtime while it lives.
class Trace {
 public:
  explicit Trace(std::string path) : path_(std::move(path)) {
    if (path_.empty()) return;
    using torch::profiler::impl::ActivityType;
    const torch::profiler::impl::ProfilerConfig config(
        torch::profiler::impl::ProfilerState::KINETO);
    std::set<ActivityType> activities{ActivityType::CPU};
    if (at::hasCUDA()) activities.insert(ActivityType::CUDA);
    profiler::prepareProfiler(config, activities);
    profiler::enableProfiler(config, activities);
  }
  ~Trace() {
    if (!path_.empty()) profiler::disableProfiler()->save(path_);
  }
  Trace(const Trace&) = delete;

 private:
  std::string path_;
};

Setup setup_of(int count, char** arguments) {
  require(count > 4, "expected CONFIG.json bf16|fp32 cpu|cuda SIZES…");
  const std::string dtype = arguments[2], device = arguments[3];
  Setup setup{arguments[1],
              dtype == "fp32" ? at::kFloat : at::kBFloat16,
              device == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU),
              {}};
  for (int i = 4; i < count; ++i) setup.sizes.push_back(std::stoll(arguments[i]));
  return setup;
}

json answer(Bench& bench, const json& asked) {
  const auto device = bench.params().device();
  auto* const memory = device.is_cuda() ? at::getDeviceAllocator(device.type()) : nullptr;
  if (memory) memory->resetPeakStats(device.index());
  Measured measured;
  {
    const Trace trace(asked.value("trace", ""));
    measured = bench.run(asked.value("count", 1), asked.value("guided", true));
    wait_for(device);
  }
  if (const auto path = asked.value("save", ""); !path.empty()) {
    weights::write_safetensors(path, {{"out", measured.out}});
  }
  json found{{"seconds", measured.seconds}};
  if (memory) {
    constexpr double kMiB = 1 << 20;
    const auto stats = memory->getDeviceStats(device.index());
    found["allocated_mib"] = static_cast<double>(stats.allocated_bytes[0].peak) / kMiB;
    found["reserved_mib"] = static_cast<double>(stats.reserved_bytes[0].peak) / kMiB;
  }
  return found;
}

}  // namespace

std::vector<int64_t> latents_shape(const Setup& setup, int64_t channels) {
  require(setup.sizes.size() == 3, "expected frames, rows and columns of the latents");
  std::vector<int64_t> shape{1, channels};
  shape.insert(shape.end(), setup.sizes.begin(), setup.sizes.end());
  return shape;
}

void wait_for(at::Device device) {
  if (device.is_cuda()) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  }
}

Measured repeat(int count, at::Device device, const std::function<at::Tensor()>& once) {
  Measured measured;
  for (int i = 0; i < count; ++i) {
    const Stopwatch watch;
    {
      RECORD_USER_SCOPE("measured");
      measured.out = once();
    }
    wait_for(device);
    measured.seconds.push_back(watch.seconds());
  }
  return measured;
}

int main_of(int count, char** arguments, std::unique_ptr<Bench> (*make)(const Setup&)) try {
  const c10::InferenceMode inference;
  const Stopwatch watch;
  const auto bench = make(setup_of(count, arguments));
  const double sum = fill(bench->params());
  bench->params().pack();
  wait_for(bench->params().device());
  const json ready{
      {"weights", sum}, {"load_s", watch.seconds()}, {"threads", at::get_num_threads()}};
  std::cout << ready << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(*bench, json::parse(line)) << std::endl;
  }
  return 0;
} catch (const std::exception& fault) {
  std::cerr << fault.what() << '\n';
  return 1;
}

}  // namespace reel::bench
