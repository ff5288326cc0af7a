#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reel::config {

constexpr int64_t kMaxWidth = 1 << 20;   // of a layer: far beyond any, and no product overflows
constexpr int64_t kMaxLayers = 1 << 10;  // so that a broken file is refused, not tried

/// Adds a sentence unless low <= value <= high.
template <class T>
void expect_between(std::vector<std::string>& problems, std::string_view key, T value, T low,
                    T high) {
  if (!(value >= low && value <= high)) {
    problems.push_back(fmt::format("{}: expected {} to {}, got {}", key, low, high, value));
  }
}

}  // namespace reel::config
