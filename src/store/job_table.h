#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "forgotten_jobs.h"
#include "job_queue.h"
#include "reel/jobs/job_store.h"
#include "reel/store/memory_job_store.h"

namespace reel::store {

/// All jobs, by every order that a store is asked for. Not locked.
class JobTable {
 public:
  struct Record : JobQueue::Entry {
    std::shared_ptr<const jobs::JobSpec> light;  // the job's, without the contents of its inputs
    CancelToken cancel;
    std::string idempotency_key;
    uint64_t completion = 0;  // in the order of completion
  };
  using Owner = std::optional<std::string>;  // none: whoever

  JobTable(size_t max_queued, std::chrono::seconds ttl, const QueueRules& rules)
      : ttl_(ttl), queue_(max_queued, rules.max_per_owner, rules.order) {}

  JobQueue& queue() { return queue_; }

  /// The job that came with this key; null if none did. Throws Error(Conflict) if the rest differs.
  Record* replayed(const std::optional<jobs::Idempotency>& idempotency);

  /// A new job, queued. Throws Error(QueueFull).
  Record& add(jobs::JobSpec spec, const std::optional<jobs::Idempotency>& idempotency);

  /// Null if there is none.
  Record* find(const std::string& id);

  /// Throws Error(NotFound), Error(Gone), as JobStore::get.
  Record& need(const std::string& id, const Owner& owner = {});

  /// As clients see it: with its place in the queue.
  jobs::Job snapshot(const Record& record) const;

  jobs::Page list(const jobs::ListQuery& query) const;
  jobs::Counts counts(jobs::Kind kind) const { return counts_[static_cast<size_t>(kind)]; }
  size_t completed_jobs() const { return completed_.size(); }
  uint64_t bytes() const { return bytes_; }

  /// The one place where a job moves. False if it may not.
  bool move(Record& record, jobs::Status to);

  /// Of a job that has just moved there.
  void completed(Record& record, jobs::Result result);

  /// One whose time was up before the second `now`; null if there is none.
  Record* expired(int64_t now) const;

  /// Of the completed_jobs(), which are some.
  Record* first_completed() const { return completed_.begin()->second; }

  /// The last state of a finished job that is there no more. `gone`: why, if by itself.
  jobs::Job forget(Record& record, const char* gone);

 private:
  using InOrder = std::map<uint64_t, Record*>;  // of submission

  uint64_t sequence_of(const std::string& id, jobs::Kind kind, const Owner& owner) const;
  jobs::Counts& counts_of(const jobs::Job& job) {
    return counts_[static_cast<size_t>(job.spec->kind)];
  }

  const std::chrono::seconds ttl_;
  std::unordered_map<std::string, Record> records_;
  std::map<std::pair<jobs::Kind, Owner>, InOrder> lists_;
  std::array<jobs::Counts, 2> counts_;
  std::unordered_map<std::string, std::pair<std::string, std::string>> keys_;  // fingerprint, id
  std::map<std::pair<int64_t, uint64_t>, Record*> expiries_;  // expires_at, sequence
  std::map<uint64_t, Record*> completed_;                     // in that order
  uint64_t next_completion_ = 0;
  uint64_t bytes_ = 0;  // of their files
  ForgottenJobs forgotten_;
  uint64_t next_sequence_ = 1;
  JobQueue queue_;
};

}  // namespace reel::store
