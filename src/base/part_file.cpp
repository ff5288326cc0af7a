#include "reel/base/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "reel/base/file_error.h"

namespace reel {
namespace {

namespace fs = std::filesystem;

/// The file at `path`, empty and locked.
FileLock open_locked(const fs::path& path) {
  auto lock = FileLock::take(path, O_CREAT | O_WRONLY | O_APPEND);
  if (!lock) {
    throw Error(ErrorCode::Conflict,
                fmt::format("{}: is being written by another process", path.string()));
  }
  if (::ftruncate(lock->descriptor(), 0) != 0) throw file_error("truncate", path, errno);
  return *std::move(lock);
}

/// Not every file system can: then there is nothing to wait for.
void sync(int descriptor, const fs::path& path) {
  if (::fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP) return;
  throw file_error("fsync", path, errno);
}

}  // namespace

PartFile::PartFile(fs::path target)
    : target_(std::move(target)), part_(target_.string() + ".part"), lock_(open_locked(part_)) {}

PartFile::~PartFile() {
  if (!committed_) ::unlink(part_.c_str());
}

void PartFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(lock_.descriptor(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw file_error("write", part_, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

uint64_t PartFile::commit() {
  sync(lock_.descriptor(), part_);
  struct stat status {};
  if (::fstat(lock_.descriptor(), &status) != 0) throw file_error("stat", part_, errno);
  const fs::path parent = target_.parent_path(), path = parent.empty() ? "." : parent;
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) throw file_error("open", path, errno);
  if (::rename(part_.c_str(), target_.c_str()) != 0) throw file_error("rename", part_, errno);
  committed_ = true;
  sync(folder.get(), path);
  return static_cast<uint64_t>(status.st_size);
}

}  // namespace reel
