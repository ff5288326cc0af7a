#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "bench_report.h"
#include "bench_requests.h"
#include "reel/base/error.h"

namespace reel::cli {
namespace {

using testing::HasSubstr;

std::string fault_of_profiles(const std::string& text) {
  BenchFlags flags;
  flags.random_request_config = text;
  try {
    bench_requests(flags);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(BenchRequests, AreChosenByWeight) {
  BenchFlags flags;
  flags.num_prompts = 1000;
  flags.random_request_config =
      R"([{"width": 64, "height": 32, "num_inference_steps": 4, "weight": 3}, {"num_frames": 9}])";
  std::map<int, int> widths;
  for (const BenchRequest& request : bench_requests(flags)) {
    ++widths[request.width.value_or(0)];
    EXPECT_EQ(request.width.has_value(), !request.num_frames.has_value());
  }
  EXPECT_NEAR(widths[64], 750, 60);
  EXPECT_EQ(widths[64] + widths[0], 1000);
  const auto again = bench_requests(flags);
  EXPECT_EQ(bench_requests(flags)[7].width, again[7].width);
}

TEST(BenchRequests, NameWhatIsWrongWithAProfile) {
  EXPECT_THAT(fault_of_profiles("{}"), HasSubstr("expected a JSON list"));
  EXPECT_THAT(fault_of_profiles("[]"), HasSubstr("expected a JSON list"));
  EXPECT_THAT(fault_of_profiles("[1]"), HasSubstr("expected objects, got 1"));
  EXPECT_THAT(fault_of_profiles(R"([{"widht": 1}])"), HasSubstr("it has no 'widht'"));
  EXPECT_THAT(fault_of_profiles(R"([{"width": 1.5}])"), HasSubstr("width: expected an integer"));
  EXPECT_THAT(fault_of_profiles(R"([{"weight": 0}])"), HasSubstr("weight: expected a number"));
}

TEST(BenchRequests, HaveWorkByBlocksFramesAndSteps) {
  EXPECT_EQ(BenchRequest{}.work(), 1);
  EXPECT_EQ((BenchRequest{"", 32, 16, 9, {}, 4}.work()), 2 * 9 * 4);
}

TEST(BenchReport, InterpolatesAsNumpyDoes) {
  EXPECT_TRUE(std::isnan(percentile({}, 50)));
  EXPECT_EQ(percentile({4, 1, 3}, 50), 3);
  EXPECT_DOUBLE_EQ(percentile({1, 2, 3, 4}, 90), 3.7);
}

TEST(BenchReport, CountsWhatWasInTime) {
  const std::vector<BenchRequest> requests{{"", 32, 16, 1, {}, 1}, {}, {}};
  std::vector<BenchResult> results(3);
  results[0] = {true, 1.9, 1, {}, ""};
  results[1] = {true, 1.1, 2, 100.0, ""};
  const auto summary = bench_summary(requests, results, 4, {}, 1.0);
  EXPECT_EQ(summary["slo_met_success"], 1) << "the first has twice the work";
  EXPECT_DOUBLE_EQ(summary["slo_attainment_rate"], 1 / 3.0);
  EXPECT_EQ(summary["completed_outputs"], 3);
  EXPECT_EQ(summary["failed_requests"], 1);
  EXPECT_EQ(summary["peak_memory_mb_max"], 100.0);
  EXPECT_FALSE(bench_summary(requests, results, 4, {}, {}).contains("slo_scale"));
}

}  // namespace
}  // namespace reel::cli
