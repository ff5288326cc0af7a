#include "reel/jobs/retention.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::jobs {

void remove_expired(JobStore& jobs, BlobStore& blobs, int64_t now) {
  for (const Job& job : jobs.expire(now)) {
    if (job.result) remove_files(blobs, job.result->outputs);
    log::info("job.expired", {{"job", job.id}});
  }
}

Retention::Retention(JobStore& jobs, BlobStore& blobs)
    : thread_([&jobs, &blobs](std::stop_token stop) {
        std::mutex mutex;
        std::condition_variable_any stopped;
        std::unique_lock lock(mutex);
        while (!stop.stop_requested()) {
          try {
            remove_expired(jobs, blobs, unix_seconds());
          } catch (const Error& error) {
            log::error("job.not_expired", {{"why", error.what()}});
          }
          stopped.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
        }
      }) {}

}  // namespace reel::jobs
