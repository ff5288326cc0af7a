#include "reel/store/work_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "reel/base/error.h"
#include "reel/base/ids.h"
#include "reel/base/log.h"

namespace reel::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".making-";

int opened(const fs::path& folder) {
  return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& parent) {
  sweep_work_folders(parent);
  std::error_code fault;
  do {  // again if another's sweep came between
    path_ = parent / random_id(kPrefix);
    fs::create_directories(path_, fault);
    require(!fault, fmt::format("output-path: {}: {}", parent.string(), fault.message()),
            "output-path");
    if (lock_ >= 0) ::close(lock_);
    lock_ = opened(path_);
    if (lock_ >= 0) ::flock(lock_, LOCK_EX);
  } while (!fs::exists(path_, fault));
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

void sweep_work_folders(const fs::path& parent) {
  std::error_code fault;
  for (fs::directory_iterator entry(parent, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const int folder = opened(entry->path());
    if (folder < 0) continue;
    if (::flock(folder, LOCK_EX | LOCK_NB) == 0) {
      std::error_code kept;
      fs::remove_all(entry->path(), kept);
      if (kept) {
        log::warning("work.kept", {{"folder", name}, {"why", kept.message()}});
      } else {
        log::info("work.swept", {{"folder", name}});
      }
    }
    ::close(folder);
  }
}

}  // namespace reel::store
