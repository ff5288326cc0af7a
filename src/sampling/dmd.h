#pragma once

#include <vector>

#include "reel/sampling/scheduler.h"

namespace reel::sampling {

/// Few steps for models that distribution matching distilled (Yin et al., "DMD2", 2024,
/// arXiv:2405.14867), as FastVideo takes them: at each timestep the clean sample, x - σ v, and
/// noise of the next level upon it.
class Dmd final : public Scheduler {
 public:
  Dmd(const std::vector<int>& timesteps, double shift, int num_train_timesteps);

  bool renews_noise() const override { return true; }

  /// The clean sample, in the dtype of `sample`. Keeps no history.
  at::Tensor step(const at::Tensor& model_output, const at::Tensor& sample, int i,
                  History& history) const override;
};

}  // namespace reel::sampling
