#include "reel/base/part_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "reel/base/error.h"
#include "resource_limit.h"
#include "temporary_folder.h"

namespace reel {
namespace {

namespace fs = std::filesystem;

class PartFileTest : public testing::Test {
 protected:
  std::string content(const fs::path& path) const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const test::TemporaryFolder folder_;
  const fs::path target_ = folder_.path() / "a.json";
  const fs::path part_ = folder_.path() / "a.json.part";
};

TEST_F(PartFileTest, ReplacesItsTargetWhenItIsWhole) {
  std::ofstream(target_) << "old";
  PartFile file(target_);
  file.write("new ");
  file.write("content");
  EXPECT_EQ(content(target_), "old");
  EXPECT_EQ(file.commit(), 11u);
  EXPECT_EQ(content(target_), "new content");
  EXPECT_FALSE(fs::exists(part_));
}

TEST_F(PartFileTest, LeavesNothingUnlessCommitted) {
  PartFile(target_).write("half");
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(PartFileTest, WritesOverWhatAKilledProcessLeft) {
  std::ofstream(part_) << "much that is half-written";
  PartFile file(target_);
  file.write("whole");
  file.commit();
  EXPECT_EQ(content(target_), "whole");
  EXPECT_FALSE(fs::exists(part_));
}

TEST_F(PartFileTest, IsOneWritersAtATime) {
  PartFile first(target_);
  first.write("first");
  try {
    PartFile second(target_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Conflict) << error.what();
  }
  first.commit();
  PartFile third(target_);  // while the first one still has its lock, on the target
  third.write("third");
  EXPECT_EQ(content(target_), "first");
}

TEST_F(PartFileTest, LeavesWhatStoodThereWhenTheFolderCannotBeSynced) {
  std::ofstream(target_) << "old";
  {
    PartFile file(target_);
    file.write("new");
    const test::ResourceLimit no_more(RLIMIT_NOFILE, 0);  // the folder cannot be opened
    EXPECT_THROW(file.commit(), Error);
  }
  EXPECT_EQ(content(target_), "old");
  EXPECT_FALSE(fs::exists(part_));
}

TEST_F(PartFileTest, FollowsNoLink) {
  std::ofstream(target_) << "old";
  fs::create_symlink(target_, folder_.path() / "b.json.part");
  EXPECT_THROW(PartFile(folder_.path() / "b.json"), Error);
  EXPECT_EQ(content(target_), "old");
}

TEST_F(PartFileTest, NamesTheFolderThatIsMissing) {
  try {
    PartFile file(folder_.path() / "none" / "a");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), (folder_.path() / "none/a.part").string() +
                                             ": cannot create: No such file or directory");
  }
}

}  // namespace
}  // namespace reel
