#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reel/config/model_index.h"
#include "reel/config/scheduler_config.h"
#include "reel/config/wan_vae_config.h"

namespace reel::config {

struct Size {
  int64_t width = 0;  // pixels
  int64_t height = 0;
  bool operator==(const Size&) const = default;
};

/// What a model makes when a request does not say: configs/models/*.json, built into the program.
struct ModelDefaults {
  std::vector<std::string> ids;  // repositories, as in "Wan-AI/Wan2.1-T2V-14B-Diffusers"
  int64_t width = 832;
  int64_t height = 480;
  std::vector<Size> sizes;  // published ones; empty: nobody said
  int64_t num_frames = 81;
  double fps = 16;
  int64_t num_inference_steps = 50;
  double guidance_scale = 5.0;
  std::optional<double> guidance_scale_2;  // the second expert's; none: guidance_scale
  double flow_shift = 1.0;
  std::optional<double> boundary_ratio;
  std::string negative_prompt;
  int64_t max_sequence_length = 512;  // tokens of a prompt

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Every published model that is known.
const std::vector<ModelDefaults>& published_models();

/// The published model that `id` names: a repository ("Wan-AI/Wan2.1-T2V-14B-Diffusers", any
/// case) or a folder of the Hugging Face cache (…/models--Wan-AI--…/snapshots/<revision>).
/// Any other folder is unknown whatever it is called: null.
const ModelDefaults* find_published(std::string_view id);

/// For a folder whose id is unknown: what its own JSON says, else Diffusers' defaults.
ModelDefaults defaults_of(const ModelIndex& index, const WanVaeConfig& vae,
                          const SchedulerConfig& scheduler);

}  // namespace reel::config
