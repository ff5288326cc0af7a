#include "dmd.h"

#include <ATen/ATen.h>

#include "flow_sigmas.h"

namespace reel::sampling {
namespace {

/// For each timestep the nearest of the shifted levels that a model is trained with, then 0.
at::Tensor nearest_levels(const std::vector<int>& timesteps, double shift, int count) {
  const at::Tensor plain = at::arange(count, 0, -1, at::kFloat) / count;
  const at::Tensor levels = shift_sigma(plain, shift);
  std::vector<at::Tensor> sigmas;
  for (const int timestep : timesteps) {
    sigmas.push_back(levels[(levels * count - timestep).abs().argmin().item<int64_t>()]);
  }
  sigmas.push_back(at::zeros({}));
  return at::stack(sigmas);
}

}  // namespace

Dmd::Dmd(const std::vector<int>& timesteps, double shift, int num_train_timesteps)
    : Scheduler(nearest_levels(timesteps, shift, num_train_timesteps),
                at::tensor(timesteps).to(at::kLong), num_train_timesteps) {}

at::Tensor Dmd::step(const at::Tensor& model_output, const at::Tensor& sample, int i,
                     History&) const {
  return sample - sigmas()[i] * model_output.to(sample.scalar_type());
}

}  // namespace reel::sampling
