#pragma once

#include <concepts>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace reel::http {

/// On one line; bytes that are no UTF-8 become U+FFFD.
std::string dumped(const nlohmann::json& value);

/// The text of a JSON object, key by key, without a tree in between: for what is asked for
/// thousands of times a second. As dumped() has it.
class JsonText {
 public:
  JsonText() : text_("{") { text_.reserve(1024); }

  void put(std::string_view key, const auto& value) {
    begin(key);
    append(value);
  }

  /// `value` is JSON already.
  void put_text(std::string_view key, std::string_view value) {
    begin(key);
    text_ += value;
  }

  std::string take() && { return std::move(text_ += '}'); }

 private:
  void begin(std::string_view key) {
    text_ += text_.size() == 1 ? "\"" : ",\"";
    text_ += key;  // none that has to be escaped
    text_ += "\":";
  }
  void append(std::string_view value);
  void append(const char* value) { append(std::string_view(value)); }
  void append(const std::string& value) { append(std::string_view(value)); }
  void append(const nlohmann::json& value) { text_ += dumped(value); }
  void append(bool value) { text_ += value ? "true" : "false"; }
  void append(std::integral auto value) { text_ += std::to_string(value); }
  template <class T>
  void append(const std::optional<T>& value) {
    value ? append(*value) : append(nullptr);
  }
  void append(std::nullptr_t) { text_ += "null"; }
  void append(double value);

  std::string text_;
};

}  // namespace reel::http
