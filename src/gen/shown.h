#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace reel::gen {

/// A client's value as a message may quote it: short, and ASCII whatever was sent.
inline std::string shown(const nlohmann::json& value) {
  constexpr size_t kMost = 60;
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

}  // namespace reel::gen
