#include "reel/store/file_blob_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "reel/base/error.h"
#include "reel/base/log.h"
#include "reel/base/part_file.h"
#include "reel/store/work_folder.h"

namespace reel::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartSuffix = ".part";

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
  explicit FilePart(const fs::path& target) : file_(target) {}

  const fs::path& path() const override { return file_.path(); }
  void write(std::string_view bytes) override { file_.write(bytes); }
  uint64_t commit() override { return file_.commit(); }

 private:
  PartFile file_;
};

int locked(const fs::path& folder) {
  const auto refuse = [&folder](const std::error_code& why) {
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("output-path: {}: {}", folder.string(), why.message()), "output-path");
  };
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault) refuse(fault);
  const fs::path path = folder / ".lock";
  const int descriptor = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (descriptor < 0) refuse({errno, std::generic_category()});
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int cause = errno;
    ::close(descriptor);
    if (cause != EWOULDBLOCK) throw file_error("lock", path, cause);
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
  sweep_work_folders(folder_);
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
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw file_error("remove", path, errno);
}

}  // namespace reel::store
