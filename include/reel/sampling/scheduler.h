#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "reel/config/scheduler_config.h"

namespace reel::sampling {

/// What a scheduler remembers of one request between its steps. The caller holds it: to pause a
/// request is to move its history to the host, to resume is to move it back.
struct History {
  std::vector<at::Tensor> model_outputs;  // predictions of the clean sample, oldest first
  at::Tensor last_sample;                 // from which the last step went; undefined before it
  int order = 0;                          // of the last step
  int warm_up = 0;                        // steps taken, as far as they raise the order

  History to(at::Device device) const;
};

/// The noise levels of one run, and how to go from one to the next. Never changes, so that
/// requests and ranks may share it.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  /// [steps], CPU, as the transformer gets them: int64 for UniPC, fp32 for Euler.
  const at::Tensor& timesteps() const { return timesteps_; }
  /// [steps + 1], CPU, fp32, falling.
  const at::Tensor& sigmas() const { return sigmas_; }
  int steps() const { return static_cast<int>(timesteps_.numel()); }
  /// Where the timesteps begin: sigma 1.
  int num_train_timesteps() const { return num_train_timesteps_; }

  /// `sample`, which is clean, with `noise` of level `i`.
  at::Tensor noised(const at::Tensor& sample, const at::Tensor& noise, int i) const;

  /// Whether a step ends in a clean sample, which is given noise of the next level.
  virtual bool renews_noise() const { return false; }

  /// The sample at level `i + 1`, or a clean one, from the one at level `i` and the velocity that
  /// the model saw there. Takes device tensors without waiting for the device: every scalar lives
  /// on the host.
  virtual at::Tensor step(const at::Tensor& model_output, const at::Tensor& sample, int i,
                          History& history) const = 0;

 protected:
  Scheduler(at::Tensor sigmas, at::Tensor timesteps, int num_train_timesteps)
      : sigmas_(std::move(sigmas)),
        timesteps_(std::move(timesteps)),
        num_train_timesteps_(num_train_timesteps) {}

 private:
  at::Tensor sigmas_;
  at::Tensor timesteps_;
  int num_train_timesteps_;
};

/// The step of `steps` from which a video is changed by `strength`, in (0, 1]: as many are left as
/// make that share of them, rounded down.
int first_step(int steps, double strength);

/// The scheduler that `config` names, for `steps` steps; `flow_shift` wins over the config's.
/// Throws Error(InvalidArgument) on steps or a shift that cannot be, Error(BadModel) on a config
/// that would divide by zero.
std::unique_ptr<Scheduler> make_scheduler(const config::SchedulerConfig& config, int steps,
                                          std::optional<double> flow_shift = std::nullopt);

/// Euler's steps, as Diffusers takes those of given sigmas: levels `steps` / `num_train_timesteps`,
/// which fall, shifted once.
std::unique_ptr<Scheduler> make_euler_scheduler(const std::vector<int>& steps, double flow_shift,
                                                int num_train_timesteps);

/// Few steps at `timesteps`, which fall, for a model that was distilled for them.
std::unique_ptr<Scheduler> make_dmd_scheduler(const std::vector<int>& timesteps, double flow_shift,
                                              int num_train_timesteps);

}  // namespace reel::sampling
