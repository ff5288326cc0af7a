#pragma once

#include "reel/gen/video_request.h"

namespace reel::gen {

enum class ImageFormat { Png, Jpeg, Webp };

/// Still images as they were asked for: `still` has one frame and its num_outputs is OpenAI's `n`.
struct ImageRequest {
  enum class Reply { Url, Base64 };

  VideoRequest still;
  ImageFormat format = ImageFormat::Jpeg;
  std::optional<Reply> reply{};  // absent: Url, but Base64 of edits
  bool stream = false;           // the reply is events, one an image
  int partial_images = 0;        // previews of each before, if it is streamed
};

}  // namespace reel::gen
