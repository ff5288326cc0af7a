#include "reel/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reel/base/error.h"

namespace reel::log {
namespace {

TEST(Log, WritesOneQuotedLogfmtLine) {
  testing::internal::CaptureStderr();
  info("job.failed", {{"job", "video_1"}, {"ms", 12}, {"why", "no \"room\"\nleft"}, {"ok", false}});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::EndsWith(
                  " I job.failed job=video_1 ms=12 why=\"no \\\"room\\\"\\nleft\" ok=false\n"));
}

TEST(Log, DropsWhatIsUnderTheLevel) {
  testing::internal::CaptureStderr();
  debug("step.done");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Log, RefusesAnUnknownLevel) { EXPECT_THROW(parse_level("loud"), Error); }

}  // namespace
}  // namespace reel::log
