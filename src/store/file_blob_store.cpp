#include "reel/store/file_blob_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "reel/base/file_error.h"
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

FileLock locked(const fs::path& folder) {
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault) throw file_error("create", folder, fault.value());
  auto lock = FileLock::take(folder / ".lock", O_CREAT | O_RDWR);
  if (!lock) {
    throw Error(ErrorCode::Conflict,
                fmt::format("{}: is in use by another process", folder.string()));
  }
  return *std::move(lock);
}

/// "video_" or "image_", 32 hex digits, and more: no person names a file so.
bool is_of_a_job(std::string_view name) {
  constexpr size_t kPrefix = 6, kDigits = 32;
  return (name.starts_with("video_") || name.starts_with("image_")) &&
         name.size() > kPrefix + kDigits &&
         name.substr(kPrefix, kDigits).find_first_not_of("0123456789abcdef") == name.npos;
}

/// Removes a job's file that no living process writes, or that is older than `ttl`.
void sweep_file(const fs::directory_entry& entry, std::chrono::seconds ttl) try {
  const fs::path& path = entry.path();
  const std::string name = path.filename().string();
  if (!is_of_a_job(name) || !fs::is_regular_file(entry.symlink_status())) return;
  std::optional<FileLock> lock;
  if (name.ends_with(kPartSuffix)) {
    lock = FileLock::take(path, O_RDWR);
    if (!lock) return;
  } else if (ttl.count() == 0 ||
             fs::file_time_type::clock::now() - entry.last_write_time() <= ttl) {
    return;
  }
  fs::remove(path);
  log::info("blob.swept", {{"file", name}});
} catch (const std::exception& fault) {
  log::warning("blob.not_swept", {{"file", entry.path().string()}, {"why", fault.what()}});
}

void sweep_files(const fs::path& folder, std::chrono::seconds ttl) {
  std::error_code fault;
  for (fs::directory_iterator entry(folder, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    sweep_file(*entry, ttl);
  }
}

}  // namespace

FileBlobStore::FileBlobStore(fs::path folder, std::chrono::seconds ttl)
    : folder_(std::move(folder)), lock_(locked(folder_)) {
  sweep_files(folder_, ttl);
  sweep_work_folders(folder_);
}

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
