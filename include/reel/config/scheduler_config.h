#pragma once

#include <optional>
#include <string>
#include <vector>

namespace reel::config {

/// `scheduler/scheduler_config.json`. Fields keep Diffusers' names and defaults.
struct SchedulerConfig {
  std::string class_name = "UniPCMultistepScheduler";  // or FlowMatchEulerDiscreteScheduler
  int num_train_timesteps = 1000;
  std::optional<double> shift_terminal;  // what the last noise level before 0 is stretched to

  // UniPCMultistepScheduler
  double flow_shift = 1.0;
  int solver_order = 2;             // 1…3
  std::string solver_type = "bh2";  // or bh1
  bool lower_order_final = true;
  std::vector<int> disable_corrector;      // steps after which the corrector is not run
  std::string final_sigmas_type = "zero";  // or sigma_min

  // FlowMatchEulerDiscreteScheduler
  double shift = 1.0;
};

}  // namespace reel::config
