#pragma once

#include "reel/sampling/scheduler.h"

namespace reel::sampling {

/// Diffusers' FlowMatchEulerDiscreteScheduler: x + (σ' − σ) v.
class FlowMatchEuler final : public Scheduler {
 public:
  FlowMatchEuler(const config::SchedulerConfig& config, double shift, int steps);
  FlowMatchEuler(const std::vector<int>& steps, double shift, int num_train_timesteps);

  /// In fp32, then cast to the dtype of `model_output`. Keeps no history.
  at::Tensor step(const at::Tensor& model_output, const at::Tensor& sample, int i,
                  History& history) const override;

 private:
  FlowMatchEuler(int num_train_timesteps, const at::Tensor& sigmas);
};

}  // namespace reel::sampling
