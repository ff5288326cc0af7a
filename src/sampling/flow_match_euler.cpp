#include "flow_match_euler.h"

#include <ATen/ATen.h>

#include "flow_sigmas.h"

namespace reel::sampling {
namespace {

/// Shifted twice, as Diffusers does: the ends of the range in fp32 when a scheduler is made, the
/// levels between them once more in float64.
at::Tensor euler_sigmas(const config::SchedulerConfig& config, double shift, int steps) {
  const int num_train_timesteps = config.num_train_timesteps;
  const at::Tensor ends = at::tensor({1.0F, 1.0F / static_cast<float>(num_train_timesteps)});
  const at::Tensor shifted = shift_sigma(ends, shift);
  std::vector<double> sigmas = linspace(shifted[0].item<double>() * num_train_timesteps,
                                        shifted[1].item<double>() * num_train_timesteps, steps);
  for (double& sigma : sigmas) sigma = shift_sigma(sigma / num_train_timesteps, shift);
  if (config.shift_terminal) stretch(sigmas, *config.shift_terminal);
  sigmas.push_back(0);
  return at::tensor(sigmas).to(at::kFloat);
}

}  // namespace

FlowMatchEuler::FlowMatchEuler(const config::SchedulerConfig& config, double shift, int steps)
    : FlowMatchEuler(config.num_train_timesteps, euler_sigmas(config, shift, steps)) {}

FlowMatchEuler::FlowMatchEuler(const std::vector<int>& steps, double shift, int num_train_timesteps)
    : FlowMatchEuler(
          num_train_timesteps,
          at::cat({shift_sigma(at::tensor(steps).to(at::kFloat) / num_train_timesteps, shift),
                   at::zeros({1})})) {}

FlowMatchEuler::FlowMatchEuler(int num_train_timesteps, const at::Tensor& sigmas)
    : Scheduler(sigmas, sigmas.slice(0, 0, -1) * num_train_timesteps, num_train_timesteps) {}

at::Tensor FlowMatchEuler::step(const at::Tensor& model_output, const at::Tensor& sample, int i,
                                History&) const {
  const at::ScalarType dtype = model_output.scalar_type();
  // Rounded first: Diffusers keeps these sigmas on the device, where a 0-dim operand is read in
  // the dtype of the other. UniPC's stay on the host and are not.
  const at::Tensor dt = (sigmas()[i + 1] - sigmas()[i]).to(dtype);
  return (sample.to(at::kFloat) + dt * model_output).to(dtype);
}

}  // namespace reel::sampling
