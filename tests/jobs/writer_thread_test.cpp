#include "writer_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <semaphore>
#include <vector>

namespace reel::jobs {
namespace {

using namespace std::chrono_literals;

TEST(WriterThread, RunsEverythingInOrderBeforeItEnds) {
  std::vector<int> done;
  {
    WriterThread writer(10);
    for (int i = 0; i < 100; ++i) writer.post(3, [&done, i] { done.push_back(i); });
  }
  ASSERT_EQ(done.size(), 100u);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

TEST(WriterThread, HoldsThePosterBackWhenItIsBehind) {
  std::binary_semaphore go{0};
  std::atomic<int> posted = 0;
  WriterThread writer(10);
  std::jthread poster([&] {
    writer.post(6, [&] { go.acquire(); });
    ++posted;
    writer.post(4, [] {});
    ++posted;
    writer.post(1, [] {});  // the eleventh byte
    ++posted;
  });
  while (posted < 2) std::this_thread::yield();
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(posted, 2);
  go.release();
  poster.join();
  EXPECT_EQ(posted, 3);
}

TEST(WriterThread, TakesOneTaskOverTheLimitWhenIdle) {
  std::binary_semaphore done{0};
  WriterThread writer(10);
  writer.post(1000, [&] { done.release(); });
  EXPECT_TRUE(done.try_acquire_for(10s));
}

TEST(WriterThread, NeverHoldsBackWhoBringsNothing) {
  std::binary_semaphore go{0};
  WriterThread writer(10);
  writer.post(1000, [&] { go.acquire(); });
  writer.post(0, [] {});  // would hang
  go.release();
}

}  // namespace
}  // namespace reel::jobs
