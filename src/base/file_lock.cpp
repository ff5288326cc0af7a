#include "reel/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "reel/base/file_error.h"

namespace reel {

std::optional<FileLock> FileLock::take(const std::filesystem::path& path, int flags) {
  for (;;) {
    Descriptor file(::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file) {
      if (errno == ENOENT && (flags & O_CREAT) == 0) return std::nullopt;
      throw file_error((flags & O_CREAT) == 0 ? "open" : "create", path, errno);
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      throw file_error("lock", path, errno);
    }
    // Whoever had it may have renamed or removed it since it was opened here.
    struct stat held {};
    struct stat named {};
    if (::fstat(file.get(), &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
        held.st_dev == named.st_dev && held.st_ino == named.st_ino) {
      return FileLock(std::move(file));
    }
  }
}

}  // namespace reel
