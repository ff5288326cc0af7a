#include "reel/jobs/job.h"

#include <gtest/gtest.h>

namespace reel::jobs {
namespace {

TEST(Job, MovesOnlyForward) {
  using enum Status;
  constexpr Status kAll[] = {Queued, InProgress, Completed, Failed, Cancelled};
  // rows: from; columns: to, both in the order of kAll
  constexpr bool kMay[5][5] = {
      {false, true, false, true, true},     // queued
      {false, false, true, true, true},     // in progress
      {false, false, false, false, false},  // completed
      {false, false, false, false, false},  // failed
      {false, false, false, false, false},  // cancelled
  };
  for (size_t from = 0; from < 5; ++from) {
    for (size_t to = 0; to < 5; ++to) {
      EXPECT_EQ(may_become(kAll[from], kAll[to]), kMay[from][to])
          << name(kAll[from]) << " to " << name(kAll[to]);
    }
    EXPECT_EQ(is_final(kAll[from]), from >= 2);
  }
  static_assert(may_become(Queued, InProgress) && !may_become(Completed, Failed));
}

TEST(Job, NamesTheFaultOfAGeneration) {
  EXPECT_EQ(job_error_code(ErrorCode::OutOfMemory), "out_of_memory");
  EXPECT_EQ(job_error_code(ErrorCode::StorageFull), "storage_full");
  EXPECT_EQ(job_error_code(ErrorCode::Cancelled), "cancelled");
  EXPECT_EQ(job_error_code(ErrorCode::Internal), "generation_failed");
  EXPECT_EQ(job_error_code(ErrorCode::BadModel), "generation_failed");
}

}  // namespace
}  // namespace reel::jobs
