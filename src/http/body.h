#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace reel::http {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

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
