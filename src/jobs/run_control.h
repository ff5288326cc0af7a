#pragma once

#include "delivery.h"
#include "job_metrics.h"
#include "reel/base/clock.h"
#include "reel/gen/generator.h"

namespace reel::jobs {

/// How far a job is, in [0, 1], when output number `output` of `outputs` is at `progress`.
double fraction_done(const gen::Progress& progress, int output, int outputs);

/// Watches the generator at work on one job: passes its progress on and a cancel back.
class RunControl final : public gen::Control {
 public:
  RunControl(JobStore& jobs, const Delivery& delivery, const JobMetrics& metrics)
      : jobs_(jobs), delivery_(delivery), metrics_(metrics) {}

  void begin_output(int output) { output_ = output; }

  Ask ask() override { return delivery_.is_off() ? Ask::Cancel : Ask::GoOn; }
  void report(const gen::Progress& progress) override;

 private:
  JobStore& jobs_;
  const Delivery& delivery_;
  const JobMetrics& metrics_;
  int output_ = 0;
  int percent_ = 0;
  gen::Progress last_;
  Stopwatch since_start_, since_step_;
};

}  // namespace reel::jobs
