#include "lru_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace reel::pipeline {
namespace {

TEST(LruCache, KeepsTheLastUsed) {
  LruCache<std::string, int> cache(2);
  cache.insert("a", 1);
  cache.insert("b", 2);
  EXPECT_TRUE(cache.find("a"));  // now b was used longest ago
  cache.insert("c", 3);
  EXPECT_FALSE(cache.find("b"));
  EXPECT_EQ(cache.find("a"), 1);
  EXPECT_EQ(cache.find("c"), 3);
}

}  // namespace
}  // namespace reel::pipeline
