#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "reel/jobs/blob_store.h"
#include "reel/jobs/job_store.h"

namespace reel::jobs {

/// Removes the jobs that had expired before the second `now` since 1970, and their files.
void remove_expired(JobStore& jobs, BlobStore& blobs, int64_t now);

/// Removes the jobs that have been finished longest, and their files, until what is left takes at
/// most `bytes`.
void make_room(JobStore& jobs, BlobStore& blobs, uint64_t bytes);

/// Removes expired jobs every second, on a thread of its own, and whenever one is completed makes
/// room within `quota` bytes; 0: without end. Both stores outlive it.
class Retention {
 public:
  Retention(JobStore& jobs, BlobStore& blobs, uint64_t quota);

 private:
  void run(std::stop_token stop);

  JobStore& jobs_;
  BlobStore& blobs_;
  const uint64_t quota_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool grown_ = false;  // guarded by mutex_
  std::unique_ptr<JobStore::Watch> watch_;
  std::jthread thread_;
};

}  // namespace reel::jobs
