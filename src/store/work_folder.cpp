#include "reel/store/work_folder.h"

#include <fcntl.h>

#include "reel/base/file_error.h"
#include "reel/base/ids.h"
#include "reel/base/log.h"

namespace reel::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".making-";

auto lock(const fs::path& folder) { return FileLock::take(folder, O_RDONLY | O_DIRECTORY); }

void sweep_folder(const fs::directory_entry& entry) try {
  const std::string name = entry.path().filename().string();
  if (!name.starts_with(kPrefix) || !fs::is_directory(entry.symlink_status())) return;
  if (const auto held = lock(entry.path())) {
    fs::remove_all(entry.path());
    log::info("work.swept", {{"folder", name}});
  }
} catch (const std::exception& fault) {
  log::warning("work.not_swept", {{"folder", entry.path().string()}, {"why", fault.what()}});
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& parent) {
  std::error_code fault;
  fs::create_directories(parent, fault);
  if (fault) throw file_error("create", parent, fault.value());
  sweep_work_folders(parent);
  while (!lock_) {  // again if another's sweep came between
    path_ = parent / random_id(kPrefix);
    fs::create_directory(path_, fault);
    if (fault) throw file_error("create", path_, fault.value());
    try {
      lock_ = lock(path_);
    } catch (const Error&) {
      fs::remove(path_, fault);
      throw;
    }
  }
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void sweep_work_folders(const fs::path& parent) {
  std::error_code fault;
  for (fs::directory_iterator entry(parent, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    sweep_folder(*entry);
  }
}

}  // namespace reel::store
