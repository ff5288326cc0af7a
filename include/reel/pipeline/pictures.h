#pragma once

#include <array>
#include <span>
#include <vector>

#include "reel/gen/description.h"
#include "reel/gen/frames.h"
#include "reel/pipeline/resample.h"

/// What Diffusers' Wan pipelines do to pictures and videos before a network sees them. Everything
/// but `fitted` is theirs to the last bit.
namespace reel::pipeline {

/// fp32 [channels, frames, height, width], no padding; a picture is one frame.
struct Planes {
  int channels = 3, frames = 1, height = 0, width = 0;
  std::vector<float> values;
};

enum class Fit {
  Stretch,  // Diffusers' "default"
  Fill,     // whole, its edges spread over the rest
  Crop,     // all of the size, what is beyond it cut off
};

/// VaeImageProcessor.resize, Lanczos.
gen::Image resized(const gen::Image& image, gen::Size size, Fit fit = Fit::Stretch);

/// Each frame as resized().
gen::Frames resized(const gen::Frames& frames, gen::Size size);

/// In [-1, 1]: 2 * value / 255 - 1.
Planes normalised(const gen::Image& image);

/// Frames `first` … `first + count` of a video, likewise.
Planes normalised(const gen::Frames& frames, int first, int count);

/// A mask's frames in [0, 1], as VACE computes them: from normalised() and back.
Planes mask_values(const gen::Frames& mask, int first, int count);

/// preprocessor_config.json of a CLIP image processor.
struct ClipPreprocessing {
  int shortest_edge = 224;
  gen::Size crop{224, 224};
  Filter filter = Filter::Bicubic;
  double rescale = 1.0 / 255;
  std::array<float, 3> mean{0.48145466f, 0.4578275f, 0.40821073f};
  std::array<float, 3> std{0.26862954f, 0.26130258f, 0.27577711f};
};

/// [3, 1, crop.height, crop.width], from the picture as it was given.
Planes clip_input(const gen::Image& image, const ClipPreprocessing& how);

/// A reference picture of VACE in [-1, 1], whole on a white ground of `size`: first resized to
/// multiples of `factor`, then bilinearly, which is within 1e-6 of torch's.
Planes fitted(const gen::Image& image, gen::Size size, int factor);

}  // namespace reel::pipeline
