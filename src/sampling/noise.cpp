#include "reel/sampling/noise.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include "reel/base/error.h"

namespace reel::sampling {
namespace {

at::Generator make_generator(uint64_t seed, const std::string& where, at::Device device) {
  if (where == "cpu") return at::detail::createCPUGenerator(seed);
  require(where == "cuda",
          fmt::format("generator_device: expected cpu or cuda, got {}", where.substr(0, 40)),
          "generator_device");
  require(device.is_cuda(), "generator_device: cuda was asked for, but the model runs on the CPU",
          "generator_device");
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return generator;
}

}  // namespace

at::Tensor initial_noise(at::IntArrayRef shape, uint64_t seed, const std::string& generator_device,
                         at::Device device) {
  at::Generator generator = make_generator(seed, generator_device, device);
  const at::TensorOptions options = at::device(generator.device()).dtype(at::kFloat);
  return at::randn(shape, generator, options).to(device);
}

at::Tensor renewed_noise(at::IntArrayRef shape, int before, uint64_t seed,
                         const std::string& generator_device, at::Device device) {
  at::Generator generator = make_generator(seed, generator_device, device);
  const at::TensorOptions options = at::device(generator.device()).dtype(at::kFloat);
  at::Tensor noise = at::randn(shape, generator, options).transpose(1, 2).contiguous();
  for (int i = 0; i <= before; ++i) noise.normal_(0, 1, generator);
  return noise.transpose(1, 2).contiguous().to(device);
}

}  // namespace reel::sampling
