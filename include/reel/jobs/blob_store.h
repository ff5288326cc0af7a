#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reel::jobs {

/// A file being written. Gone without a trace unless committed. One thread at a time.
class BlobPart {
 public:
  virtual ~BlobPart() = default;

  /// The part file, empty at first, for writers that want a path.
  virtual const std::filesystem::path& path() const = 0;

  /// Appends. Throws Error(StorageFull), Error(Internal).
  virtual void write(std::string_view bytes) = 0;

  /// Makes the file durable, then visible under its name; its size in bytes. Throws
  /// Error(StorageFull), Error(Internal).
  virtual uint64_t commit() = 0;
};

struct Blob {
  std::filesystem::path path;
  uint64_t bytes = 0;
};

/// Finished files by name. Any thread. Names are ours, never a client's.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  virtual std::unique_ptr<BlobPart> create(const std::string& name) = 0;

  /// Nothing if there is no such committed file.
  virtual std::optional<Blob> find(const std::string& name) const = 0;

  /// Nothing happens if there is none.
  virtual void remove(const std::string& name) = 0;
};

struct Output;  // of a job

/// Removes them all: logs a file that cannot be removed, and goes on.
void remove_files(BlobStore& blobs, const std::vector<Output>& outputs);

}  // namespace reel::jobs
