#pragma once

#include <filesystem>

#include "reel/jobs/blob_store.h"

namespace reel::store {

/// Files in one folder of this machine, which belongs to one process at a time.
///
/// A file is written as `name.part`, fsynced, renamed, and the folder fsynced: what is visible
/// under its name is whole, also after a power cut.
class FileBlobStore final : public jobs::BlobStore {
 public:
  /// Makes the folder if need be, and removes what killed processes left there, half-written.
  /// Throws Error(Conflict) if another process holds the folder, Error(InvalidArgument) if nothing
  /// can be written in it, Error(Internal).
  explicit FileBlobStore(std::filesystem::path folder);
  ~FileBlobStore() override;

  FileBlobStore(const FileBlobStore&) = delete;
  FileBlobStore& operator=(const FileBlobStore&) = delete;

  std::unique_ptr<jobs::BlobPart> create(const std::string& name) override;
  std::optional<jobs::Blob> find(const std::string& name) const override;
  void remove(const std::string& name) override;

 private:
  std::filesystem::path folder_;
  int lock_ = -1;  // a descriptor that holds the folder's lock
};

}  // namespace reel::store
