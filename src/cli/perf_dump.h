#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "reel/base/clock.h"
#include "reel/jobs/job.h"

namespace reel::cli {

/// Listens to one job and keeps when each of its denoising steps was done.
class StepTimes {
 public:
  void see(const jobs::Job& job);
  std::vector<double> seconds() const;  // of each step

 private:
  mutable std::mutex mutex_;
  Stopwatch watch_;
  int step_ = 0;
  double began_ = 0;
  std::vector<double> seconds_;
};

struct PerfFigures {
  double load_s = 0;   // weights
  double ready_s = 0;  // and the warm-up
  double total_s = 0;  // from submission to the file's last byte
  std::vector<double> steps_s;
};

/// Writes the figures of a completed job as JSON: whole, or what was there before.
/// Throws as PartFile does.
void write_perf_dump(const std::string& path, const jobs::Job& job, const PerfFigures& figures);

}  // namespace reel::cli
