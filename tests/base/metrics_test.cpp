#include "reel/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "reel/base/error.h"

namespace reel {
namespace {

using testing::HasSubstr;

TEST(Metrics, SpeaksTheTextFormat) {
  Metrics metrics;
  metrics.counter("serve_jobs_total", "Jobs.", {{"kind", "video"}, {"status", "failed"}}).add(2);
  metrics.gauge("sglang:num_queue_reqs", "Waiting.").set(7);
  metrics.histogram("serve_step_seconds", "Steps.", {}, {0.5, 1}).observe(0.7);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("# HELP serve_jobs_total Jobs.\n# TYPE serve_jobs_total counter\n"
                              "serve_jobs_total{kind=\"video\",status=\"failed\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sglang:num_queue_reqs 7\n"));
  EXPECT_THAT(text, HasSubstr("serve_step_seconds_bucket{le=\"0.5\"} 0\n"
                              "serve_step_seconds_bucket{le=\"1\"} 1\n"
                              "serve_step_seconds_bucket{le=\"+Inf\"} 1\n"));
}

TEST(Metrics, GivesTheSameSeriesForTheSameLabels) {
  Metrics metrics;
  metrics.counter("hits_total", "Hits.", {{"route", "/"}}).add();
  metrics.counter("hits_total", "Hits.", {{"route", "/"}}).add();
  metrics.counter("hits_total", "Hits.", {{"route", "/v1"}}).add();
  EXPECT_THAT(metrics.text(), HasSubstr("hits_total{route=\"/\"} 2\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("hits_total{route=\"/v1\"} 1\n"));
}

TEST(Metrics, KeepsHostileLabelsInsideTheirQuotes) {
  Metrics metrics;
  metrics.counter("hits_total", "Hits.", {{"model", "a\"} 1\nb\\"}}).add();
  EXPECT_THAT(metrics.text(), HasSubstr("hits_total{model=\"a\\\"} 1\\nb\\\\\"} 1\n"));
}

TEST(Metrics, RefusesANameThatIsThereAsAnotherKind) {
  Metrics metrics;
  metrics.counter("hits_total", "Hits.");
  EXPECT_THROW(metrics.gauge("hits_total", "Hits."), Error);
  EXPECT_THROW(metrics.gauge("no spaces", "Hits."), Error);
}

TEST(Metrics, LosesNothingBetweenThreads) {
  Metrics metrics;
  const Gauge level = metrics.gauge("level", "Level.");
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 1000; ++n) {
          metrics.counter("hits_total", "Hits.").add();
          level.add(n % 2 == 0 ? 1 : -1);
        }
        EXPECT_FALSE(metrics.text().empty());
      });
    }
  }
  EXPECT_THAT(metrics.text(), HasSubstr("hits_total 4000\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("level 0\n"));
}

}  // namespace
}  // namespace reel
