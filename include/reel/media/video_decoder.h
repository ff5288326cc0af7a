#pragma once

#include <filesystem>
#include <string_view>

#include "reel/media/image_decoder.h"

namespace reel::media {

struct VideoLimits {
  PictureLimits picture;  // of one frame, and the bytes of the file
  int frames = 1000;
  int64_t pixels = 500'000'000;  // of all frames together: 1.5 GB
};

/// The frames of an MP4, MOV, WebM, Matroska, AVI or GIF file, turned upright, as Diffusers'
/// load_video gives them; a picture is one frame. Throws as decode_image does.
gen::Frames decode_video(std::string_view file, const VideoLimits& limits = {});

/// The pictures in a folder, by name; all of one size. Throws Error also if there are none.
gen::Frames read_frames(const std::filesystem::path& folder, const VideoLimits& limits = {});

}  // namespace reel::media
