#include "deadlines.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::jobs {

Deadlines::Deadlines(JobStore& jobs)
    : jobs_(jobs),
      watch_(jobs.watch([this](const Job& job) {
        if (job.status != Status::Queued || !job.spec->timeout_s) return;
        const std::lock_guard lock(mutex_);
        added_ = true;
        changed_.notify_all();
      })),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

void Deadlines::run(std::stop_token stop) {
  using Clock = JobStore::Clock;
  while (!stop.stop_requested()) {
    Clock::duration wait = std::chrono::hours(1);
    try {
      const auto now = Clock::now();
      if (const auto next = jobs_.fail_overdue(now)) wait = std::min(wait, *next - now);
    } catch (const Error& error) {
      log::error("deadlines.unknown", {{"why", error.what()}});
      wait = std::chrono::seconds(1);
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, wait, [this] { return added_; });
    added_ = false;
  }
}

}  // namespace reel::jobs
