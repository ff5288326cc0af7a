#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "reel/base/clock.h"
#include "reel/weights/param.h"

/// A model with random weights that is told on stdin what to do and says on stdout what it took.
namespace reel::bench {

struct Setup {
  std::filesystem::path config;
  at::ScalarType dtype;
  at::Device device;
  std::vector<int64_t> sizes;  // of the input, as the bench says
};

struct Measured {
  std::vector<double> seconds;  // one each time
  at::Tensor out;               // of the last
};

/// One model. What it is fed is drawn at its first run.
class Bench {
 public:
  virtual ~Bench() = default;
  virtual weights::ParamSet& params() = 0;

  /// Does `count` times what is measured. `guided`: with a negative prompt, if it knows one.
  virtual Measured run(int count, bool guided) = 0;
};

/// [1, channels, *setup.sizes]. Throws Error unless those are frames, rows and columns.
std::vector<int64_t> latents_shape(const Setup& setup, int64_t channels);

/// Until the device has done all that was asked of it.
void wait_for(at::Device device);

/// `count` times `once`, and how long each took until the device was done.
Measured repeat(int count, at::Device device, const std::function<at::Tensor()>& once);

/// The main() of a bench: arguments are CONFIG.json bf16|fp32 cpu|cuda SIZES…
///
/// Says {"weights", "load_s", "threads"} when the weights are there; then answers each line
/// {"count", "guided", "save", "trace"} (1, true; paths, if given, of a safetensors
/// file and of a trace for chrome://tracing) with {"seconds", "allocated_mib", "reserved_mib"},
/// peaks on the GPU.
int main_of(int count, char** arguments, std::unique_ptr<Bench> (*make)(const Setup&));

/// Of the bench that OneBench(setup) is.
template <class OneBench>
int main_of(int count, char** arguments) {
  return main_of(count, arguments, [](const Setup& setup) -> std::unique_ptr<Bench> {
    return std::make_unique<OneBench>(setup);
  });
}

}  // namespace reel::bench
