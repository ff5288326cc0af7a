#include "reel/base/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace reel {
namespace {

namespace fs = std::filesystem;

/// The file at `path`, empty and locked.
int open_locked(const fs::path& path) {
  for (;;) {
    const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) throw file_error("create", path, errno);
    const bool taken = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    struct stat held {};
    struct stat named {};
    // Whoever had it may have renamed it since it was opened here.
    const bool ours = !taken && ::fstat(file, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
                      held.st_dev == named.st_dev && held.st_ino == named.st_ino;
    if (ours && (held.st_size == 0 || ::ftruncate(file, 0) == 0)) return file;
    const int cause = errno;
    ::close(file);
    if (taken) {
      throw Error(ErrorCode::Conflict,
                  fmt::format("{}: is being written by another process", path.string()));
    }
    if (ours) throw file_error("truncate", path, cause);
  }
}

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw file_error("open", folder, errno);
  const int cause = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (cause != 0) throw file_error("fsync", folder, cause);
}

}  // namespace

Error file_error(std::string_view doing, const fs::path& path, int cause) {
  const bool full = cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
  return Error(full ? ErrorCode::StorageFull : ErrorCode::Internal,
               fmt::format("{}: cannot {}: {}", path.string(), doing,
                           std::error_code(cause, std::generic_category()).message()));
}

PartFile::PartFile(fs::path target)
    : target_(std::move(target)),
      part_(target_.string() + ".part"),
      descriptor_(open_locked(part_)) {}

PartFile::~PartFile() {
  if (!committed_) ::unlink(part_.c_str());
  ::close(descriptor_);
}

void PartFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw file_error("write", part_, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

uint64_t PartFile::commit() {
  if (::fsync(descriptor_) != 0) throw file_error("fsync", part_, errno);
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) throw file_error("stat", part_, errno);
  if (::rename(part_.c_str(), target_.c_str()) != 0) throw file_error("rename", part_, errno);
  committed_ = true;
  try {
    const auto folder = target_.parent_path();
    sync_folder(folder.empty() ? "." : folder);
  } catch (const Error&) {
    ::unlink(target_.c_str());  // what may vanish must not be promised
    throw;
  }
  return static_cast<uint64_t>(status.st_size);
}

}  // namespace reel
