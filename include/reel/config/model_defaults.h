#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reel/config/model_index.h"
#include "reel/config/scheduler_config.h"
#include "reel/config/wan_vae_config.h"

namespace reel::config {

struct Size {
  int width = 0;  // pixels
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// What a model makes when a request does not say: configs/models/*.json, built into the program.
struct ModelDefaults {
  std::vector<std::string> ids;  // repositories, as in "Wan-AI/Wan2.1-T2V-14B-Diffusers"
  int width = 832;
  int height = 480;
  std::vector<Size> sizes;  // published ones; empty: nobody said
  int num_frames = 81;
  int fps = 16;
  int num_inference_steps = 50;
  double guidance_scale = 5.0;
  std::optional<double> guidance_scale_2;  // the second expert's; none: guidance_scale
  double flow_shift = 1.0;
  std::optional<double> boundary_ratio;
  std::string negative_prompt;
  int max_sequence_length = 512;         // tokens of a prompt
  std::vector<int> dmd_denoising_steps;  // timesteps of a model distilled for them; else none
  std::vector<int> denoising_step_list;  // likewise, of Euler's and before flow_shift: LightX2V's

  /// What cannot be, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Every published model that is known.
std::vector<ModelDefaults> published_models();

/// The published model that `id` names: a repository ("Wan-AI/Wan2.1-T2V-14B-Diffusers", any
/// case) or a folder of the Hugging Face cache (…/models--Wan-AI--…/snapshots/<revision>).
/// Nothing for any other folder, whatever it is called.
std::optional<ModelDefaults> find_published(std::string_view id);

/// The published model whose `recognised_by` in configs/models is what model_index.json and
/// transformer/config.json of the folder say, whatever it is called. Throws Error(BadModel).
std::optional<ModelDefaults> find_alike(const ModelFolder& folder);

/// What `reel.json` in a model's folder says: the keys of configs/models/*.json without `ids` and
/// `recognised_by`. Nothing if there is none. Throws Error(BadModel).
std::optional<ModelDefaults> own_defaults(const std::filesystem::path& folder);

/// For a folder that is like no published model: what its own JSON says, else Diffusers' defaults.
ModelDefaults defaults_of(const ModelIndex& index, const WanVaeConfig& vae,
                          const SchedulerConfig& scheduler);

}  // namespace reel::config
