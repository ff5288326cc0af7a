#pragma once

#include <cstdint>
#include <thread>

#include "reel/jobs/blob_store.h"
#include "reel/jobs/job_store.h"

namespace reel::jobs {

/// Removes the jobs that had expired before the second `now` since 1970, and their files.
void remove_expired(JobStore& jobs, BlobStore& blobs, int64_t now);

/// Removes expired jobs every second, on a thread of its own. Both stores outlive it.
class Retention {
 public:
  Retention(JobStore& jobs, BlobStore& blobs);

 private:
  std::jthread thread_;
};

}  // namespace reel::jobs
