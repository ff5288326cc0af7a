#pragma once

#include "reel/gen/description.h"
#include "reel/gen/video_request.h"

namespace reel::gen {

// Limits that no model moves.
inline constexpr size_t kMaxPromptBytes = size_t{1} << 20;
inline constexpr int kMaxOutputs = 10;  // as OpenAI's n
inline constexpr int kMaxFrames = 100'001;
inline constexpr int kMaxFps = 240;
inline constexpr int kMaxSteps = 1000;  // the noise levels Wan was trained on

/// Decides what `request` leaves open, from the model's defaults, and checks the rest against the
/// model's limits. Random seeds are drawn here.
///
/// Throws Error(InvalidArgument), or Error(TooLarge) for a prompt over 1 MiB. `param` is the
/// field's name in the API; for a size it is "size" if both sides were given.
ResolvedRequest resolve(const VideoRequest& request, const Description& model);

/// `request`, and where it says nothing, what `source` was made with. Without seeds, `source`'s:
/// the first of them if there are not enough.
VideoRequest remixed(VideoRequest request, const ResolvedRequest& source);

/// The size of a video of a picture's shape: of at most `area` pixels, sides multiples of
/// `multiple`. As Diffusers' examples of image to video compute it.
Size size_like(Size picture, int64_t area, int multiple);

/// `frames` rounded as Diffusers does: `n // multiple * multiple + 1`, at least 1. The multiple is
/// the VAE's, 4 for every published model.
constexpr int round_frames(int frames, int multiple) {
  return frames < 1 ? 1 : frames / multiple * multiple + 1;
}

}  // namespace reel::gen
