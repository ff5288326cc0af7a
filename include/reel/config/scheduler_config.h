#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace reel::config {

/// Diffusers' `UniPCMultistepScheduler` as flow models use it: flow sigmas, flow prediction,
/// `predict_x0`, solver bh2, a final sigma of zero. Every other setting is refused when read.
struct UniPcConfig {
  int64_t num_train_timesteps = 1000;
  int64_t solver_order = 2;  // 1 or 2
  double flow_shift = 1.0;
  std::vector<int64_t> disable_corrector;  // steps that go without it

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Diffusers' `FlowMatchEulerDiscreteScheduler` with a fixed shift.
struct FlowMatchEulerConfig {
  int64_t num_train_timesteps = 1000;
  double shift = 1.0;

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

using SchedulerConfig = std::variant<UniPcConfig, FlowMatchEulerConfig>;

/// Reads `scheduler/scheduler_config.json`; its `_class_name` says which.
/// Throws Error(BadModel) naming the file, the key, what was expected and what was found.
SchedulerConfig read_scheduler_config(const std::filesystem::path& file);

/// The shift of the flow's sigmas, however the scheduler calls it.
double flow_shift_of(const SchedulerConfig& config);

}  // namespace reel::config
