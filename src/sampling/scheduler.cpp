#include "reel/sampling/scheduler.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "dmd.h"
#include "flow_match_euler.h"
#include "reel/base/error.h"
#include "unipc.h"

namespace reel::sampling {

History History::to(at::Device device) const {
  History moved = *this;
  for (at::Tensor& output : moved.model_outputs) output = output.to(device);
  if (moved.last_sample.defined()) moved.last_sample = moved.last_sample.to(device);
  return moved;
}

at::Tensor Scheduler::noised(const at::Tensor& sample, const at::Tensor& noise, int i) const {
  const at::Tensor sigma = sigmas_[i];
  return (1 - sigma) * sample + sigma * noise;
}

int first_step(int steps, double strength) { return steps - static_cast<int>(steps * strength); }

std::unique_ptr<Scheduler> make_scheduler(const config::SchedulerConfig& config, int steps,
                                          std::optional<double> flow_shift) {
  require(steps >= 1 && steps <= config.num_train_timesteps,
          fmt::format("num_inference_steps: expected 1 to {}, got {}", config.num_train_timesteps,
                      steps),
          "num_inference_steps");
  require(!flow_shift || (*flow_shift > 0 && std::isfinite(*flow_shift)),
          fmt::format("flow_shift: expected a positive number, got {}", flow_shift.value_or(0)),
          "flow_shift");
  if (config.class_name == "UniPCMultistepScheduler") {
    return std::make_unique<UniPC>(config, flow_shift.value_or(config.flow_shift), steps);
  }
  if (config.class_name == "FlowMatchEulerDiscreteScheduler") {
    return std::make_unique<FlowMatchEuler>(config, flow_shift.value_or(config.shift), steps);
  }
  throw Error(ErrorCode::BadModel, fmt::format("scheduler: expected UniPCMultistepScheduler or "
                                               "FlowMatchEulerDiscreteScheduler, got {}",
                                               config.class_name.substr(0, 80)));
}

std::unique_ptr<Scheduler> make_euler_scheduler(const std::vector<int>& steps, double flow_shift,
                                                int num_train_timesteps) {
  return std::make_unique<FlowMatchEuler>(steps, flow_shift, num_train_timesteps);
}

std::unique_ptr<Scheduler> make_dmd_scheduler(const std::vector<int>& timesteps, double flow_shift,
                                              int num_train_timesteps) {
  return std::make_unique<Dmd>(timesteps, flow_shift, num_train_timesteps);
}

}  // namespace reel::sampling
