#include "reel/dist/rank_thread.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "reel/base/error.h"

namespace reel::dist {
namespace {

TEST(RankThread, RunsEverythingOnOneThreadInInferenceMode) {
  RankThread rank(0, at::kCPU);
  std::thread::id first, second;
  bool inference = false;
  rank.run([&] { first = std::this_thread::get_id(); });
  rank.run([&] {
    second = std::this_thread::get_id();
    inference = c10::InferenceMode::is_enabled();
  });
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::this_thread::get_id());
  EXPECT_TRUE(inference);
}

TEST(RankThread, HandsAnErrorToItsCallerAndGoesOn) {
  RankThread rank(0, at::kCPU);
  EXPECT_THROW(rank.run([] { throw Error(ErrorCode::OutOfMemory, "full"); }), Error);
  bool ran = false;
  rank.run([&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(RankThread, TakesCallersOneAtATime) {
  RankThread rank(0, at::kCPU);
  std::atomic<int> inside = 0, most = 0, runs = 0;
  {
    std::vector<std::jthread> callers;
    for (int c = 0; c < 4; ++c) {
      callers.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          rank.run([&] {
            most = std::max(most.load(), ++inside);
            ++runs;
            --inside;
          });
        }
      });
    }
  }
  EXPECT_EQ(runs, 200);
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace reel::dist
