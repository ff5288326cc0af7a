#pragma once

#include <optional>
#include <stop_token>
#include <utility>

#include "delivery.h"
#include "job_metrics.h"
#include "reel/base/clock.h"
#include "reel/gen/generator.h"

namespace reel::jobs {

/// How far a job is, in [0, 1], when output number `output` of `outputs` is at `progress`.
double fraction_done(const gen::Progress& progress, int output, int outputs);

/// Watches the generator at work on one job: passes its progress on, and back that it is cancelled
/// or that another's turn has come.
class RunControl final : public gen::Control {
 public:
  /// Lets no other job go first once `draining` is requested.
  RunControl(JobStore& jobs, const Delivery& delivery, const JobMetrics& metrics,
             std::stop_token draining)
      : jobs_(jobs), delivery_(delivery), metrics_(metrics), draining_(std::move(draining)) {}

  /// Before each call of generate(): for which output, whether it goes on from a snapshot, and how
  /// long the calls before it took.
  void begin(int output, bool resumed, double seconds_before);

  Ask ask() override;
  void report(const gen::Progress& progress) override;
  void preview(gen::Image image) override;

 private:
  JobStore& jobs_;
  const Delivery& delivery_;
  const JobMetrics& metrics_;
  const std::stop_token draining_;
  bool resumed_ = false;
  double seconds_before_ = 0;
  JobProgress told_;  // last
  int previews_ = 0;  // of this output
  Stopwatch since_begin_, since_step_;
  Stopwatch since_first_step_;
  int first_step_ = 0;                    // of this call
  std::optional<double> output_seconds_;  // by the last steps
};

}  // namespace reel::jobs
