#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "reel/base/file_lock.h"

namespace reel {

/// A file while it is written, as `target`.part; gone without a trace unless committed.
///
/// It is locked: two that write one target at the same time are told apart, and what a killed
/// process left is written over. One thread at a time.
class PartFile {
 public:
  /// Throws Error(Conflict) if another process writes it now, Error(StorageFull), Error(Internal).
  explicit PartFile(std::filesystem::path target);
  ~PartFile();

  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::filesystem::path& path() const { return part_; }

  /// Appends. Throws Error(StorageFull), Error(Internal).
  void write(std::string_view bytes);

  /// Makes the file durable, then visible under its name; its size in bytes. Throws
  /// Error(StorageFull), Error(Internal): under that name is then what was there before, whole, or
  /// (if the folder failed in the last moment) the new file.
  uint64_t commit();

 private:
  std::filesystem::path target_, part_;
  FileLock lock_;
  bool committed_ = false;
};

}  // namespace reel
