#pragma once

#include <filesystem>
#include <optional>

#include "reel/base/file_lock.h"

namespace reel::store {

/// A folder for files while they are made: `parent`/.making-…, so that a rename puts them beside
/// it. It goes with this object; if the process is killed, when the next work folder or
/// FileBlobStore is made in `parent`. Those of living processes are locked, and stay.
class WorkFolder {
 public:
  /// Makes `parent` too if need be. Throws what file_error() says if that cannot be written in.
  explicit WorkFolder(const std::filesystem::path& parent);
  ~WorkFolder();

  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::optional<FileLock> lock_;  // always
};

/// Removes the work folders in `parent` that no living process holds.
void sweep_work_folders(const std::filesystem::path& parent);

}  // namespace reel::store
