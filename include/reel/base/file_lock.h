#pragma once

#include <filesystem>
#include <optional>

#include "reel/base/descriptor.h"

namespace reel {

/// The lock on a file or folder that one process holds at a time (flock), while this object lives.
class FileLock {
 public:
  /// Opens `path` with open(2)'s `flags`, following no link, and locks what has that name. Nothing
  /// if another holds it, or if it is not there and `flags` do not create it. Throws file_error().
  static std::optional<FileLock> take(const std::filesystem::path& path, int flags);

  int descriptor() const { return file_.get(); }

 private:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}

  Descriptor file_;
};

}  // namespace reel
