#include "prompt_cache.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace reel::pipeline {
namespace {

TEST(PromptCache, KeepsTheLastUsed) {
  PromptCache cache(2);
  cache.insert({1}, 8, at::full({}, 1));
  cache.insert({2}, 8, at::full({}, 2));
  EXPECT_TRUE(cache.find({1}, 8));  // now 2 was used longest ago
  cache.insert({3}, 8, at::full({}, 3));
  EXPECT_FALSE(cache.find({2}, 8));
  EXPECT_EQ(cache.find({1}, 8)->item<int>(), 1);
  EXPECT_EQ(cache.find({3}, 8)->item<int>(), 3);
}

TEST(PromptCache, TellsLengthsApart) {
  PromptCache cache(2);
  cache.insert({1}, 8, at::full({}, 1));
  EXPECT_FALSE(cache.find({1}, 16));
}

}  // namespace
}  // namespace reel::pipeline
