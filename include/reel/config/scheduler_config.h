#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "reel/config/model_index.h"

namespace reel::config {

/// `scheduler/scheduler_config.json`. Fields keep Diffusers' names and defaults.
///
/// Flow prediction with flow sigmas only; every setting that this has no field for is refused
/// when read, if it is set to something that matters.
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

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Reads `scheduler_config.json`; without `class_name` its `_class_name` says which.
/// Throws Error(BadModel) naming the file, the key, what was expected and what was found.
SchedulerConfig read_scheduler_config(const std::filesystem::path& file,
                                      const std::string& class_name = "");

/// A model's: of the class that model_index.json names, as Diffusers takes it. Where that is no
/// flow's, or another folder stands in for its own, of the file's.
SchedulerConfig scheduler_config_of(const ModelFolder& model);

/// The shift of the flow's sigmas, however the scheduler calls it.
double flow_shift_of(const SchedulerConfig& config);

}  // namespace reel::config
