#pragma once

#include <cstdint>
#include <thread>
#include <vector>

#include "reel/jobs/blob_store.h"
#include "reel/jobs/job_store.h"

namespace reel::jobs {

/// Logs a file that cannot be removed, and goes on.
void remove_files(BlobStore& blobs, const std::vector<Output>& outputs);

/// Removes the jobs that have expired at `now`, Unix seconds, and their files.
void remove_expired(JobStore& jobs, BlobStore& blobs, int64_t now);

/// Removes expired jobs every second, on a thread of its own. Both stores outlive it.
class Retention {
 public:
  Retention(JobStore& jobs, BlobStore& blobs);

 private:
  std::jthread thread_;
};

}  // namespace reel::jobs
