#include "reel/store/file_blob_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <sstream>

#include "reel/base/error.h"
#include "reel/base/file_lock.h"
#include "reel/base/ids.h"
#include "resource_limit.h"

namespace reel::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kVideo = "video_" + std::string(32, '0');

class FileBlobStoreTest : public testing::Test {
 protected:
  ~FileBlobStoreTest() override { fs::remove_all(folder_); }

  ErrorCode code_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      message_ = error.what();
      return error.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::Internal;
  }

  size_t files() const {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      count += entry.path().filename() != ".lock";
    }
    return count;
  }

  const fs::path folder_ = fs::temp_directory_path() / random_id("reel_blobs_");
  std::string message_;
};

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST_F(FileBlobStoreTest, ShowsAFileOnlyWhenItIsWhole) {
  FileBlobStore store(folder_);
  auto part = store.create("video_1.mp4");
  part->write("half ");
  EXPECT_FALSE(store.find("video_1.mp4"));
  EXPECT_TRUE(fs::exists(part->path()));
  part->write("whole");
  EXPECT_EQ(part->commit(), 10u);
  part.reset();
  const auto blob = store.find("video_1.mp4");
  ASSERT_TRUE(blob);
  EXPECT_EQ(blob->bytes, 10u);
  EXPECT_EQ(read(blob->path), "half whole");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileBlobStoreTest, CountsWhatAWriterPutThereByPath) {
  FileBlobStore store(folder_);
  const auto part = store.create("a.mp4");
  std::ofstream(part->path(), std::ios::binary) << "seven b";
  EXPECT_EQ(part->commit(), 7u);
  EXPECT_EQ(read(store.find("a.mp4")->path), "seven b");
}

TEST_F(FileBlobStoreTest, LeavesNothingOfAFileThatWasGivenUp) {
  FileBlobStore store(folder_);
  store.create("a.mp4")->write("half");
  EXPECT_EQ(files(), 0u);
  EXPECT_FALSE(store.find("a.mp4"));
}

TEST_F(FileBlobStoreTest, RemovesAFileOrNothing) {
  FileBlobStore store(folder_);
  store.create("a.mp4")->commit();
  store.remove("a.mp4");
  store.remove("a.mp4");
  EXPECT_EQ(files(), 0u);
}

TEST_F(FileBlobStoreTest, SweepsThePartsOfAKilledProcess) {
  fs::create_directories(folder_ / (kVideo + "_0.mp4.part"));
  for (const auto& name : {kVideo + ".mp4.part", kVideo + "_1.mp4.part", kVideo + ".mp4",
                           std::string("notes.part"), std::string("video_1.part")}) {
    std::ofstream(folder_ / name) << "bytes";
  }
  const auto living = FileLock::take(folder_ / (kVideo + "_1.mp4.part"), O_RDWR);
  const FileBlobStore store(folder_);
  EXPECT_FALSE(fs::exists(folder_ / (kVideo + ".mp4.part")));
  EXPECT_EQ(files(), 5u);
}

TEST_F(FileBlobStoreTest, SweepsTheOldFilesOfEarlierProcesses) {
  fs::create_directories(folder_);
  const auto now = fs::file_time_type::clock::now();
  for (const auto& name : {kVideo + ".mp4", kVideo + "_1.mp4", std::string("mine.mp4")}) {
    std::ofstream(folder_ / name) << "whole";
    fs::last_write_time(folder_ / name, now - std::chrono::hours(2));
  }
  fs::last_write_time(folder_ / (kVideo + "_1.mp4"), now - std::chrono::minutes(30));
  { const FileBlobStore kept(folder_); }
  EXPECT_EQ(files(), 3u);
  const FileBlobStore store(folder_, std::chrono::hours(1));
  EXPECT_FALSE(store.find(kVideo + ".mp4"));
  EXPECT_TRUE(store.find(kVideo + "_1.mp4"));
  EXPECT_TRUE(store.find("mine.mp4"));
}

TEST_F(FileBlobStoreTest, BelongsToOneAtATime) {
  {
    const FileBlobStore store(folder_);
    EXPECT_EQ(code_of([&] { FileBlobStore second(folder_); }), ErrorCode::Conflict);
    EXPECT_THAT(message_, HasSubstr("in use by another process"));
  }
  FileBlobStore again(folder_);
}

TEST_F(FileBlobStoreTest, StaysInItsFolder) {
  FileBlobStore store(folder_);
  for (const char* name :
       {"", ".", "..", "../x", "/etc/passwd", "a/b", ".lock", "a.part", "a b", "a\\b", "a\n"}) {
    EXPECT_EQ(code_of([&] { store.create(name); }), ErrorCode::Internal) << name;
    EXPECT_FALSE(store.find(name)) << name;
    store.remove(name);
  }
  EXPECT_FALSE(store.find(std::string("a\0b", 3)));
  EXPECT_TRUE(fs::exists(folder_ / ".lock"));
}

TEST_F(FileBlobStoreTest, SaysThatAFileMayNotGrow) {
  FileBlobStore store(folder_);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  {
    const test::ResourceLimit small(RLIMIT_FSIZE, 4096);
    const auto part = store.create("a.mp4");
    EXPECT_EQ(code_of([&] { part->write(std::string(10'000, 'x')); }), ErrorCode::StorageFull);
    EXPECT_THAT(message_, HasSubstr("a.mp4.part: cannot write: File too large"));
  }
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(files(), 0u);
}

TEST_F(FileBlobStoreTest, RefusesAFolderThatCannotBe) {
  std::ofstream(folder_) << "a file";
  EXPECT_EQ(code_of([&] { FileBlobStore store(folder_ / "inside"); }), ErrorCode::Internal);
  EXPECT_EQ(message_, (folder_ / "inside").string() + ": cannot create: Not a directory");
}

}  // namespace
}  // namespace reel::store
