#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace reel::text::test {

inline std::filesystem::path goldens() {
  return std::filesystem::path(REEL_SOURCE_DIR) / "tests/goldens";
}

/// The cases of a golden of hard text; scripts/golden/README.md tells their fields.
inline nlohmann::json cases(const std::string& name) {
  std::ifstream in(goldens() / (name + ".json"));
  return nlohmann::json::parse(in).at("cases");
}

}  // namespace reel::text::test
