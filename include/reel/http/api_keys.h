#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reel::http {

/// The keys that clients may come with, each known by its hash and by a name. A value.
class ApiKeys {
 public:
  /// A file of keys, one a line, as `key` or `name:key`; `#` begins a comment. Throws
  /// Error(InvalidArgument), which tells the line and no key.
  static ApiKeys read(const std::filesystem::path& path);

  /// Without a `name` it has one made of its hash, the same at every start. Throws
  /// Error(InvalidArgument) if a key or a name is none, or is there already.
  void add(std::string name, std::string_view key);

  /// The name of a key; nothing if it is none of these. Takes as long for any key of one length.
  std::optional<std::string> name_of(std::string_view key) const;

  /// Whether a key of this name is among these.
  bool has(std::string_view name) const;

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name, hash;
  };
  std::vector<Entry> entries_;
};

}  // namespace reel::http
