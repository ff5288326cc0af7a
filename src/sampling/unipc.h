#pragma once

#include "reel/sampling/scheduler.h"

namespace reel::sampling {

/// Diffusers' UniPCMultistepScheduler (0.37 and later) for a model that predicts the velocity of
/// a flow: a predictor of order 1 to 3, and a corrector that uses the next model output.
/// Zhao et al., "UniPC", 2023, arXiv:2302.04867.
///
/// Coefficients are fp32 0-dim tensors on the CPU, also where Diffusers has them on a GPU: there
/// `log`, `expm1` and the 2×2 or 3×3 solve may differ from ours in the last bit.
class UniPC final : public Scheduler {
 public:
  UniPC(const config::SchedulerConfig& config, double shift, int steps);

  /// Keeps `sample` in the history: nobody may write into it. Returns its dtype.
  at::Tensor step(const at::Tensor& model_output, const at::Tensor& sample, int i,
                  History& history) const override;

 private:
  UniPC(const config::SchedulerConfig& config, const std::vector<double>& levels);

  struct Expansion;
  Expansion expand(int from, int order, const at::Tensor& x,
                   const std::vector<at::Tensor>& outputs) const;
  at::Tensor correct(const at::Tensor& x0, int i, const History& history) const;
  at::Tensor predict(const at::Tensor& sample, int i, const History& history) const;
  at::Tensor lambda(int i) const;

  config::SchedulerConfig config_;
};

}  // namespace reel::sampling
