#pragma once

#include <map>
#include <memory>
#include <string>

#include "reel/base/clock.h"
#include "reel/base/metrics.h"
#include "reel/jobs/job_store.h"

namespace reel::jobs {

/// Counts jobs as the store tells of them, and steps and stages as the runner does.
class JobMetrics {
 public:
  /// `model` is the served one: what requests call it is up to the clients, and endless.
  JobMetrics(JobStore& jobs, Metrics& metrics, std::string model);

  /// Any thread.
  void step(double seconds) const { step_.observe(seconds); }
  void preempted() const { preemptions_.add(); }
  void stage(const std::string& name, double seconds) const;

 private:
  struct Active {
    Stopwatch since_submit;
    bool started = false;
  };
  using Queue = std::pair<Kind, int>;  // and its priority

  void on_change(const Job& job);
  Counter ended(Kind kind, Status how) const;
  void wait(const Queue& queue, int more);
  void show_levels() const;

  JobStore& jobs_;
  Metrics& metrics_;
  const std::string model_;
  Histogram step_, queue_wait_, duration_;
  Counter preemptions_;
  std::map<std::string, Active> active_;    // jobs that have not ended; the listener's own
  std::map<Queue, int> waiting_;            // as is this
  std::unique_ptr<JobStore::Watch> watch_;  // the last to begin, the first to end
};

}  // namespace reel::jobs
