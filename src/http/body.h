#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "reel/base/descriptor.h"

namespace reel::http {

/// The bytes of a request's body: in memory up to 1 MiB, beyond that in a file without a name.
class Body {
 public:
  static constexpr size_t kInMemory = 1 << 20;

  Body() = default;
  explicit Body(std::filesystem::path spool_dir) : spool_dir_(std::move(spool_dir)) {}

  /// Throws Error(StorageFull or Internal).
  void append(std::string_view bytes);

  uint64_t size() const { return spooled_ + memory_.size(); }

  /// All of it, from memory or read back. Throws Error(Internal).
  std::string read() const;

 private:
  void spool();

  std::filesystem::path spool_dir_;
  std::string memory_;  // what is not in the file yet
  Descriptor file_;
  uint64_t spooled_ = 0;
};

}  // namespace reel::http
