#include "reel/jobs/retention.h"

#include <chrono>
#include <utility>
#include <vector>

#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::jobs {

namespace {

void forget_files(BlobStore& blobs, const std::vector<Job>& gone, const char* why) {
  for (const Job& job : gone) {
    if (job.result) remove_files(blobs, job.result->outputs);
    log::info("job.expired", {{"job", job.id}, {"why", why}});
  }
}

}  // namespace

void remove_expired(JobStore& jobs, BlobStore& blobs, int64_t now) {
  forget_files(blobs, jobs.expire(now), "ttl");
}

void make_room(JobStore& jobs, BlobStore& blobs, uint64_t bytes) {
  forget_files(blobs, jobs.shrink(bytes), "quota");
}

Retention::Retention(JobStore& jobs, BlobStore& blobs, uint64_t quota)
    : jobs_(jobs),
      blobs_(blobs),
      quota_(quota),
      watch_(jobs.watch([this](const Job& job) {
        if (job.status != Status::Completed) return;
        const std::lock_guard lock(mutex_);
        grown_ = true;
        changed_.notify_one();
      })),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

void Retention::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    try {
      remove_expired(jobs_, blobs_, unix_seconds());
      if (quota_ > 0) make_room(jobs_, blobs_, quota_);
    } catch (const Error& error) {
      log::error("job.not_expired", {{"why", error.what()}});
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::seconds(1), [this] { return grown_; });
    grown_ = false;
  }
}

}  // namespace reel::jobs
