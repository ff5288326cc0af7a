#pragma once

#include <chrono>
#include <filesystem>

#include "reel/base/file_lock.h"
#include "reel/jobs/blob_store.h"

namespace reel::store {

/// Files in one folder of this machine, which belongs to one process at a time.
///
/// A file is written as `name.part`, fsynced, renamed, and the folder fsynced: what is visible
/// under its name is whole, also after a power cut.
class FileBlobStore final : public jobs::BlobStore {
 public:
  /// Makes the folder if need be. Removes what killed processes left there half-written, and the
  /// finished files of earlier processes' jobs that are older than `ttl`; 0: those stay.
  /// Throws Error(Conflict) if another process holds the folder; what file_error() says if nothing
  /// can be written in it.
  explicit FileBlobStore(std::filesystem::path folder, std::chrono::seconds ttl = {});

  std::unique_ptr<jobs::BlobPart> create(const std::string& name) override;
  std::optional<jobs::Blob> find(const std::string& name) const override;
  void remove(const std::string& name) override;

 private:
  std::filesystem::path folder_;
  FileLock lock_;
};

}  // namespace reel::store
