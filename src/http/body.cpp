#include "body.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "reel/base/error.h"

namespace reel::http {
namespace {

[[noreturn]] void fail(const char* what) {
  const int why = errno;
  const bool full = why == ENOSPC || why == EDQUOT;
  throw Error(full ? ErrorCode::StorageFull : ErrorCode::Internal,
              fmt::format("request body: {} the spool file failed: {}", what, std::strerror(why)));
}

/// Gone when it is closed, also by a kill.
Descriptor nameless_file(const std::filesystem::path& folder) {
  Descriptor file(open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) {  // not every file system has such
    std::string name = (folder / "reel-body-XXXXXX").string();
    file = Descriptor(mkostemp(name.data(), O_CLOEXEC));
    if (file) unlink(name.c_str());
  }
  return file;
}

}  // namespace

void Body::append(std::string_view bytes) {
  memory_ += bytes;
  if (memory_.size() > kInMemory) spool();
}

void Body::spool() {
  if (!file_) {
    file_ = nameless_file(spool_dir_);
    if (!file_) fail("opening");
  }
  std::string_view left = memory_;
  while (!left.empty()) {
    const ssize_t wrote = ::write(file_.get(), left.data(), left.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("writing");
    left.remove_prefix(static_cast<size_t>(wrote));
  }
  spooled_ += memory_.size();
  memory_.clear();
}

std::string Body::read() const {
  std::string all(static_cast<size_t>(spooled_), '\0');
  size_t at = 0;
  while (at < all.size()) {
    const ssize_t got =
        pread(file_.get(), all.data() + at, all.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("reading");
    at += static_cast<size_t>(got);
  }
  return all += memory_;
}

}  // namespace reel::http
