#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reel/gen/inputs.h"

namespace reel::gen {

/// A video as it was asked for. What is absent is decided by Generator::check.
/// A still image is a video of one frame.
struct VideoRequest {
  std::string prompt;
  std::optional<std::string> negative_prompt;  // "" means empty, absent means the model's own
  std::optional<int> width, height;            // pixels
  std::optional<int> num_frames;
  std::optional<double> seconds;  // used when num_frames is absent
  std::optional<int> fps;
  int num_outputs = 1;
  std::vector<uint64_t> seeds;  // empty: random; one: seed + i for output i; else one an output
  std::string generator_device = "cpu";  // whose random numbers: "cpu" or "cuda"
  std::optional<int> num_inference_steps;
  std::optional<double> guidance_scale;
  std::optional<double> guidance_scale_2;  // of the low-noise expert
  std::optional<double> flow_shift;
  std::optional<double> boundary_ratio;
  std::optional<int> max_sequence_length;  // tokens of a prompt
  Inputs inputs;
  std::vector<double> conditioning_scale;  // how much VACE's inputs count: one, or one a layer
  std::optional<double> strength;          // of the change that is made to `inputs.video`, 0 to 1
  std::optional<int> preview_steps;        // between two previews; 0: none
  std::optional<int> quality;              // of the encoded file, 0 to 100; nothing the model reads
};

/// What will really be made: nothing left to decide, so that a resumed job never reads a
/// default again. This is what is stored with a job.
struct ResolvedRequest {
  std::string prompt;
  std::string negative_prompt;
  int width = 0, height = 0;  // pixels, multiples the model can do
  int num_frames = 0;         // 4k + 1
  int fps = 0;
  std::vector<uint64_t> seeds;  // one an output
  std::string generator_device;
  int num_inference_steps = 0;
  double guidance_scale = 0;
  double guidance_scale_2 = 0;
  double flow_shift = 0;
  std::vector<int> dmd_denoising_steps, denoising_step_list;  // as of the description
  std::optional<double> boundary_ratio;                       // none: one expert for all steps
  int max_sequence_length = 0;
  Inputs inputs;
  std::vector<double> conditioning_scale;  // one a layer; empty: the model takes none
  std::optional<double> strength;          // if the model changes a video
  int preview_steps = 0;                   // between two previews; 0: none

  int num_outputs() const { return static_cast<int>(seeds.size()); }
  double seconds() const { return static_cast<double>(num_frames) / fps; }
  bool operator==(const ResolvedRequest&) const = default;
};

/// Whether there is a preview after `done` of `steps` denoising steps.
inline bool has_preview(int preview_steps, int done, int steps) {
  return preview_steps > 0 && done % preview_steps == 0 && done < steps;
}

}  // namespace reel::gen
