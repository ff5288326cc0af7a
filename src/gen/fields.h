#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace reel::gen {

/// The fields of one request body, by name and type; notices those that nobody asked for.
///
/// Numbers and truths may be text, as a form sends them. Null counts as absent, and so does empty
/// text where no text is meant. Every fault is an Error(InvalidArgument) with the field as param.
class Fields {
 public:
  /// `body` with its wrappers (extra_body, …) merged in.
  explicit Fields(const nlohmann::json& body);

  std::optional<std::string> text(const std::string& name);
  std::optional<int> integer(const std::string& name);
  std::optional<double> number(const std::string& name);
  std::optional<bool> truth(const std::string& name);

  /// One seed or a list, also the text of a list. Empty if absent.
  std::vector<uint64_t> seeds(const std::string& name);

  /// One number or a list, also the text of a list. Empty if absent.
  std::vector<double> numbers(const std::string& name);

  /// Text that must be one of `words`.
  std::optional<std::string> word(const std::string& name, const std::vector<std::string>& words);

  /// The value as it is, null if absent.
  nlohmann::json any(const std::string& name);

  /// True if the field is there and is neither null, empty nor false.
  bool asks(const std::string& name);

  /// The fields that were never asked for, sorted.
  std::vector<std::string> unknown() const;

 private:
  const nlohmann::json* find(const std::string& name);
  nlohmann::json list(const std::string& name);

  nlohmann::json object_;
  std::set<std::string> seen_;
};

[[noreturn]] void refuse(const std::string& field, const std::string& expected,
                         const nlohmann::json& got);

}  // namespace reel::gen
