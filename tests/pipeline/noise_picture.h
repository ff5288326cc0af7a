#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "reel/gen/description.h"
#include "reel/gen/frames.h"

/// What scripts/golden/resampling.py and its tests share.
namespace reel::test {

/// The picture that `noise` makes there.
inline gen::Image noise(gen::Size size, uint32_t seed) {
  gen::Image image{size.width, size.height, {}};
  const auto samples = static_cast<uint32_t>(size.width * size.height * 3);
  for (uint32_t i = 0; i < samples; ++i) {
    uint32_t v = i * 2654435761u + seed;
    v = (v ^ v >> 15) * 0x2C1B3C6Du;
    image.rgb.push_back(static_cast<uint8_t>(v ^ v >> 12));
  }
  return image;
}

/// As zlib's.
inline uint32_t crc(const void* data, size_t size) {
  uint32_t value = ~0u;
  for (size_t i = 0; i < size; ++i) {
    value ^= static_cast<const uint8_t*>(data)[i];
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0u);
  }
  return ~value;
}

template <class T>
uint32_t crc(const std::vector<T>& values) {
  return crc(values.data(), values.size() * sizeof(T));
}

inline gen::Size size_of(const nlohmann::json& sides) { return {sides.at(0), sides.at(1)}; }

inline nlohmann::json golden_cases(const std::string& name) {
  std::ifstream file(std::string(REEL_SOURCE_DIR "/tests/goldens/") + name);
  return nlohmann::json::parse(file).at("cases");
}

}  // namespace reel::test
