#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "device.h"
#include "reel/weights/checkpoint.h"
#include "reel/weights/safetensors.h"

/// Reference data minted by scripts/golden, and how it is compared.
namespace reel::test {

struct Golden {
  explicit Golden(const std::string& name) : file(golden_folder() / (name + ".safetensors")) {}

  /// On the device of the test, or on the host.
  at::Tensor operator[](const std::string& name) const { return on_device(host(name)); }
  at::Tensor host(const std::string& name) const { return file.tensor(name); }
  const std::string& metadata(const std::string& key) const { return file.metadata().at(key); }

  /// Fills `params` from the golden's own weights, named "w.<name>".
  void fill(weights::ParamSet& params, const std::string& prefix = "w.") const {
    for (weights::Param& param : params.params()) {
      const at::Tensor tensor = file.tensor(prefix + param.name);
      ASSERT_EQ(tensor.sizes().vec(), param.shape) << param.name;
      param.tensor = tensor.to(params.device(), params.dtype_of(param), false, /*copy=*/true);
    }
  }

  weights::SafetensorsFile file;
};

/// ‖a − b‖ / ‖b‖ in float64; infinity if shapes differ or anything is not finite.
inline double relative_l2(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  const auto x = a.to(at::kCPU, at::kDouble), y = b.to(at::kCPU, at::kDouble);
  const double error = (x - y).norm().item<double>() / std::max(y.norm().item<double>(), 1e-30);
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

inline double max_abs(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  const double error =
      (a.to(at::kCPU, at::kDouble) - b.to(at::kCPU, at::kDouble)).abs().max().item<double>();
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

}  // namespace reel::test
