#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "reel/jobs/job_store.h"

namespace reel::jobs {

/// Fails jobs as soon as their timeout has passed, on a thread of its own.
class Deadlines {
 public:
  explicit Deadlines(JobStore& jobs);

 private:
  void run(std::stop_token stop);

  JobStore& jobs_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool added_ = false;  // guarded by mutex_
  std::unique_ptr<JobStore::Watch> watch_;
  std::jthread thread_;
};

}  // namespace reel::jobs
