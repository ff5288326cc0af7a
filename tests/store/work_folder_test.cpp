#include "reel/store/work_folder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "reel/base/error.h"
#include "reel/store/file_blob_store.h"
#include "resource_limit.h"
#include "temporary_folder.h"

namespace reel::store {
namespace {

namespace fs = std::filesystem;

class WorkFolderTest : public testing::Test {
 protected:
  /// As a killed process leaves one: with files, and without a lock.
  fs::path left_behind(const std::string& name = ".making-0123") {
    fs::create_directories(parent_ / name);
    std::ofstream(parent_ / name / "a.mp4.part") << "half";
    return parent_ / name;
  }

  const test::TemporaryFolder folder_;
  const fs::path parent_ = folder_.path() / "out";
};

TEST_F(WorkFolderTest, IsBesideAndGoes) {
  std::optional<WorkFolder> work(parent_);
  EXPECT_EQ(work->path().parent_path(), parent_);
  std::ofstream(work->path() / "file") << "half";
  work.reset();
  EXPECT_TRUE(fs::is_empty(parent_));
}

TEST_F(WorkFolderTest, SweepsWhatKilledProcessesLeft) {
  left_behind();
  left_behind(".making-4567");
  const auto others = left_behind("making-of");
  const WorkFolder work(parent_);
  EXPECT_FALSE(fs::exists(parent_ / ".making-0123"));
  EXPECT_FALSE(fs::exists(parent_ / ".making-4567"));
  EXPECT_TRUE(fs::exists(others));
}

TEST_F(WorkFolderTest, LeavesTheLivingAlone) {
  const WorkFolder first(parent_);
  const FileBlobStore its_files(first.path());
  const WorkFolder second(parent_);
  sweep_work_folders(parent_);
  EXPECT_TRUE(fs::exists(first.path() / ".lock"));
  EXPECT_TRUE(fs::exists(second.path()));
}

TEST_F(WorkFolderTest, IsSweptByABlobStoreToo) {
  const auto dead = left_behind();
  const WorkFolder living(parent_);
  left_behind();
  const FileBlobStore store(parent_);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(living.path()));
}

TEST_F(WorkFolderTest, FollowsNoLink) {
  const auto elsewhere = left_behind("elsewhere");
  fs::create_directory_symlink(elsewhere, parent_ / ".making-0123");
  sweep_work_folders(parent_);
  EXPECT_TRUE(fs::exists(elsewhere / "a.mp4.part"));
}

TEST_F(WorkFolderTest, IsItsOwnHoweverManyBeginAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> lost = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        const WorkFolder work(parent_);
        std::ofstream(work.path() / "file") << "half";
        lost += !fs::exists(work.path() / "file");
      }
    });
  }
  threads.clear();
  EXPECT_EQ(lost, 0);
  EXPECT_TRUE(fs::is_empty(parent_));
}

TEST_F(WorkFolderTest, SaysThatItCannotBe) {
  std::ofstream(parent_) << "a file";
  try {
    const WorkFolder work(parent_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), parent_.string() + ": cannot create: Not a directory");
  }
}

TEST_F(WorkFolderTest, NeverBeginsWithoutItsLock) {
  fs::create_directories(parent_);
  {
    const test::ResourceLimit no_more(RLIMIT_NOFILE, 0);
    EXPECT_THROW(WorkFolder{parent_}, Error);
  }
  EXPECT_TRUE(fs::is_empty(parent_));
}

}  // namespace
}  // namespace reel::store
