#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "reel/base/error.h"

namespace reel::config {

/// Parses a JSON file of at most 16 MiB. Throws Error(BadModel) naming the file.
nlohmann::json read_json(const std::filesystem::path& path);

/// Whether `value` is a T as it stands: nlohmann's own conversions would make a layer count of 2.7
/// or `true`.
template <class T>
bool is_exactly(const nlohmann::json& value) {
  if constexpr (std::same_as<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::integral<T>) {
    return value.is_number_unsigned()
               ? std::in_range<T>(value.get<uint64_t>())
               : value.is_number_integer() && std::in_range<T>(value.get<int64_t>());
  } else if constexpr (std::floating_point<T>) {
    return value.is_number();
  } else if constexpr (requires { typename T::value_type; } && !std::same_as<T, std::string> &&
                       !std::same_as<T, nlohmann::json>) {
    if constexpr (requires { std::tuple_size<T>::value; }) {
      if (value.size() != std::tuple_size_v<T>) return false;
    }
    return value.is_array() && std::all_of(value.begin(), value.end(), [](const auto& one) {
             return is_exactly<typename T::value_type>(one);
           });
  } else {
    return true;  // get() is exact by itself
  }
}

/// Reads the keys of one JSON object and notices those that nobody read.
///
/// Every fault is an Error(BadModel): file, key, what was expected, what was found.
class JsonReader {
 public:
  /// `where` is what messages call the object: a file's path, mostly.
  JsonReader(const nlohmann::json& object, std::string where);

  /// The value of `key`; nothing if it is absent or null.
  template <class T>
  std::optional<T> find(std::string_view key) {
    seen_.emplace(key);
    const auto found = object_->find(key);
    if (found == object_->end() || found->is_null()) return std::nullopt;
    try {
      if (is_exactly<T>(*found)) return found->template get<T>();
    } catch (const nlohmann::json::exception&) {
    }
    fail(key, fmt::format("has the wrong type: {}", found->dump().substr(0, 80)));
  }

  template <class T>
  T get(std::string_view key, T otherwise) {
    return find<T>(key).value_or(std::move(otherwise));
  }

  template <class T>
  T need(std::string_view key) {
    auto value = find<T>(key);
    if (!value) fail(key, "is missing");
    return *std::move(value);
  }

  /// A key that is known and does not change the result here.
  void ignore(std::initializer_list<std::string_view> keys);

  /// A key that is understood with one value only: throws if it is there with another.
  template <class T>
  void expect(std::string_view key, const T& only) {
    const auto value = find<T>(key);
    if (value && *value != only) {
      fail(key, fmt::format("expected {}, got {}", nlohmann::json(only).dump(),
                            nlohmann::json(*value).dump()));
    }
  }

  /// Throws if the object has a key that was neither read nor ignored. Keys that begin with "_"
  /// are Diffusers' own notes and are left alone.
  void finish() const;

  /// Throws, naming them all, if there are problems.
  void check(const std::vector<std::string>& problems) const;

  [[noreturn]] void fail(std::string_view key, const std::string& what) const;

 private:
  const nlohmann::json* object_;
  std::string where_;
  std::set<std::string, std::less<>> seen_;
};

}  // namespace reel::config
