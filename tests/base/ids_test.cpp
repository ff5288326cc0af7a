#include "reel/base/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace reel {
namespace {

TEST(Ids, CarryThePrefixAnd128RandomBits) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = random_id("video_");
    EXPECT_EQ(id.size(), 6u + 32u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef", 6), std::string::npos);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace reel
