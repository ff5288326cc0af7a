#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "reel/gen/frames.h"

namespace reel::media {

/// What a shell command prints.
inline std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  std::array<char, 4096> some{};
  while (const size_t count = fread(some.data(), 1, some.size(), pipe.get())) {
    out.append(some.data(), count);
  }
  return out;
}

using Rgb = std::array<uint8_t, 3>;

inline gen::Image plain(const Rgb& colour, int width, int height) {
  gen::Image image{width, height, {}};
  for (int i = 0; i < width * height; ++i) {
    image.rgb.insert(image.rgb.end(), colour.begin(), colour.end());
  }
  return image;
}

/// That the ffmpeg program finds the first picture of `file` of `colour`, in the mean.
inline void expect_colour(const std::filesystem::path& file, const Rgb& colour) {
  const std::string rgb = output_of(fmt::format(
      "ffmpeg -v error -i '{}' -frames:v 1 -f rawvideo -pix_fmt rgb24 -", file.string()));
  ASSERT_GT(rgb.size(), 0u);
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (size_t i = c; i < rgb.size(); i += 3) sum += static_cast<uint8_t>(rgb[i]);
    EXPECT_NEAR(3 * sum / static_cast<double>(rgb.size()), colour[c], 4)
        << file << " channel " << c;
  }
}

constexpr Rgb kSaturated[] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};

}  // namespace reel::media
