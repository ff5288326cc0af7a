#include "reel/store/file_blob_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartSuffix = ".part";

[[noreturn]] void fail(std::string_view doing, const fs::path& path, int cause) {
  const bool full = cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
  throw Error(full ? ErrorCode::StorageFull : ErrorCode::Internal,
              fmt::format("{}: cannot {}: {}", path.string(), doing,
                          std::error_code(cause, std::generic_category()).message()));
}

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail("open", folder, errno);
  const int cause = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (cause != 0) fail("fsync", folder, cause);
}

/// Letters, digits, '_', '-' and '.', the last not first; and no part file's name.
bool is_good_name(const std::string& name) {
  if (name.empty() || name.size() > 200 || name.front() == '.' || name.ends_with(kPartSuffix)) {
    return false;
  }
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
         std::string::npos;
}

class FilePart final : public jobs::BlobPart {
 public:
  explicit FilePart(fs::path final_path)
      : final_(std::move(final_path)), part_(final_.string() + std::string(kPartSuffix)) {
    descriptor_ = ::open(part_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail("create", part_, errno);
  }

  ~FilePart() override {
    ::close(descriptor_);
    if (!committed_) ::unlink(part_.c_str());
  }

  const fs::path& path() const override { return part_; }

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write", part_, errno);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }

  uint64_t commit() override {
    if (::fsync(descriptor_) != 0) fail("fsync", part_, errno);
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) fail("stat", part_, errno);
    if (::rename(part_.c_str(), final_.c_str()) != 0) fail("rename", part_, errno);
    committed_ = true;
    try {
      sync_folder(final_.parent_path());
    } catch (const Error&) {
      ::unlink(final_.c_str());  // what may vanish must not be promised
      throw;
    }
    return static_cast<uint64_t>(status.st_size);
  }

 private:
  fs::path final_;
  fs::path part_;
  int descriptor_ = -1;
  bool committed_ = false;
};

int locked(const fs::path& folder) {
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault) fail("create", folder, fault.value());
  const fs::path path = folder / ".lock";
  const int descriptor = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (descriptor < 0) fail("create", path, errno);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int cause = errno;
    ::close(descriptor);
    if (cause != EWOULDBLOCK) fail("lock", path, cause);
    throw Error(ErrorCode::Conflict,
                fmt::format("{}: is in use by another process", folder.string()));
  }
  return descriptor;
}

void sweep_parts(const fs::path& folder) try {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().string().ends_with(kPartSuffix)) continue;
    fs::remove(entry.path());
    log::info("blob.swept", {{"file", entry.path().filename().string()}});
  }
} catch (const fs::filesystem_error& error) {
  log::warning("blob.sweep_failed", {{"why", error.what()}});
}

}  // namespace

FileBlobStore::FileBlobStore(fs::path folder) : folder_(std::move(folder)), lock_(locked(folder_)) {
  sweep_parts(folder_);
}

FileBlobStore::~FileBlobStore() { ::close(lock_); }

std::unique_ptr<jobs::BlobPart> FileBlobStore::create(const std::string& name) {
  if (!is_good_name(name)) {
    throw Error(ErrorCode::Internal, fmt::format("'{}' is no name for a file", name));
  }
  return std::make_unique<FilePart>(folder_ / name);
}

std::optional<jobs::Blob> FileBlobStore::find(const std::string& name) const {
  if (!is_good_name(name)) return std::nullopt;
  const fs::path path = folder_ / name;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return jobs::Blob{path, static_cast<uint64_t>(status.st_size)};
}

void FileBlobStore::remove(const std::string& name) {
  if (!is_good_name(name)) return;
  const fs::path path = folder_ / name;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail("remove", path, errno);
}

}  // namespace reel::store
