#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reel/gen/frames.h"

namespace reel::gen {

/// A picture or a video given with a request: first where it is to be had from, then, loaded, what
/// it is.
template <class Content>
struct Input {
  std::string field;     // that it came in
  std::string source{};  // data: or http(s):// URL, or path; "" once it is loaded

  std::string sha256{};  // of the file, in hexadecimal
  uint64_t bytes = 0;    // of the file
  int width = 0, height = 0, frames = 0;
  std::shared_ptr<const Content> content{};  // none in a job that has ended

  /// Whether they are the same file.
  bool operator==(const Input& other) const {
    return sha256 == other.sha256 && bytes == other.bytes;
  }
};

using ImageInput = Input<Image>;
using VideoInput = Input<Frames>;

struct Inputs {
  std::optional<ImageInput> image, last_image;
  std::optional<VideoInput> video, mask;
  std::vector<ImageInput> reference_images;

  bool operator==(const Inputs&) const = default;
};

/// Calls `visit(name, input)` for each that is there.
template <class SomeInputs, class Visit>
void for_each(SomeInputs& inputs, const Visit& visit) {
  if (inputs.image) visit("image", *inputs.image);
  if (inputs.last_image) visit("last_image", *inputs.last_image);
  if (inputs.video) visit("video", *inputs.video);
  if (inputs.mask) visit("mask", *inputs.mask);
  for (auto& image : inputs.reference_images) visit("reference_images", image);
}

inline bool any(const Inputs& inputs) {
  bool found = false;
  for_each(inputs, [&](const char*, const auto&) { found = true; });
  return found;
}

}  // namespace reel::gen
