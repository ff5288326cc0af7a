#pragma once

#include "reel/jobs/job.h"

namespace reel::jobs {

/// Who goes first. Asked once for each job, when it is submitted; calls are serialised, so that a
/// policy may keep virtual clocks.
class QueuePolicy {
 public:
  virtual ~QueuePolicy() = default;

  /// Smaller goes first; equals go in the order of submission.
  virtual double rank(const Job& job) = 0;
};

/// First come, first served.
class FifoPolicy final : public QueuePolicy {
 public:
  double rank(const Job&) override { return 0; }
};

}  // namespace reel::jobs
