#include "json_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace reel::http {

std::string dumped(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void JsonText::append(std::string_view value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
  });
  if (!plain) return append(nlohmann::json(value));
  text_ += '"';
  text_ += value;
  text_ += '"';
}

void JsonText::append(double value) {
  if (!std::isfinite(value)) return append(nullptr);
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text_.append(digits.data(), end);
}

}  // namespace reel::http
