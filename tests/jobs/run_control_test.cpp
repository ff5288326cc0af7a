#include "run_control.h"

#include <gtest/gtest.h>

namespace reel::jobs {
namespace {

using gen::Stage;

TEST(FractionDone, GrowsFromNothingToAllOverEveryOutput) {
  double last = -1;
  for (int output = 0; output < 3; ++output) {
    for (const Stage stage : {Stage::TextEncoding, Stage::Denoising, Stage::Decoding}) {
      for (int step = 0; step <= 10; ++step) {
        const double done = fraction_done({stage, step, 10}, output, 3);
        EXPECT_GE(done, last) << output << ' ' << name(stage) << ' ' << step;
        last = done;
      }
    }
  }
  EXPECT_EQ(fraction_done({Stage::TextEncoding, 0, 1}, 0, 3), 0);
  EXPECT_DOUBLE_EQ(last, 1);
}

TEST(FractionDone, GoesMostlyWithTheSteps) {
  EXPECT_NEAR(fraction_done({Stage::Denoising, 25, 50}, 0, 1), 0.46, 1e-9);
  EXPECT_NEAR(fraction_done({Stage::Denoising, 25, 50}, 1, 2), 0.73, 1e-9);
}

TEST(FractionDone, BearsStrangeReports) {
  EXPECT_EQ(fraction_done({Stage::TextEncoding, 0, 0}, 0, 1), 0);
  EXPECT_LE(fraction_done({Stage::Decoding, 9, 2}, 0, 1), 1);
}

}  // namespace
}  // namespace reel::jobs
