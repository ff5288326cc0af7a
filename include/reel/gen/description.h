#pragma once

#include <optional>
#include <string>
#include <vector>

namespace reel::gen {

struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// "832x480"
inline std::string text_of(const Size& size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

/// Whether a model takes an input.
enum class Take { No, Optional, Required };

/// What a model takes beside text.
struct Takes {
  Take image = Take::No, last_image = Take::No, video = Take::No, mask = Take::No,
       reference_images = Take::No;
  int conditioning_layers = 0;       // that a conditioning_scale is for; 0: it takes none
  std::optional<double> strength{};  // its default; none: it takes none
};

/// What a model takes and makes, its defaults and limits.
struct Description {
  std::string model;          // served name
  std::string model_path;     // as given
  std::string pipeline;       // "WanPipeline"
  std::string task;           // "T2V", "I2V", "TI2V"
  std::string dit_precision;  // "bf16"
  std::string vae_precision;
  std::string device;  // "cpu", "cuda:0"
  int num_gpus = 0;

  Takes takes;

  Size size;                // default; with an image, its area; with a video, the most
  std::vector<Size> sizes;  // the published ones; others are possible
  int size_multiple = 16;   // of width and height, pixels
  int max_side = 16384;     // pixels
  int num_frames = 81;      // default
  int frame_multiple = 4;   // a video has a multiple of this, and one more
  int max_frames = 0;       // 0: no limit known
  int fps = 16;
  int num_inference_steps = 50;
  double guidance_scale = 5;
  std::optional<double> guidance_scale_2;  // default of the low-noise expert; none: guidance_scale
  std::optional<double> boundary_ratio;
  double flow_shift = 3;
  std::vector<int> dmd_denoising_steps{};  // timesteps of a model distilled for them; else none
  std::vector<int> denoising_step_list{};  // likewise, of Euler's and before flow_shift: LightX2V's
  int max_sequence_length = 512;
  std::string negative_prompt;

  /// That the model was distilled for, without guidance; 0: any number of steps.
  int distilled_steps() const {
    return static_cast<int>(dmd_denoising_steps.size() + denoising_step_list.size());
  }
};

}  // namespace reel::gen
