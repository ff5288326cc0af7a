#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "reel/base/cancel.h"
#include "reel/jobs/job.h"

namespace reel::jobs {

/// A client's promise that requests with one key are one request.
struct Idempotency {
  std::string key;          // with the owner and the route, if those tell keys apart
  std::string fingerprint;  // of the request's content
};

struct Submitted {
  Job job;
  bool replayed = false;  // the job was there already, under the same key
  bool keyed = false;     // it came under a key
};

/// A job to work on. `cancel` is raised when the job was cancelled or removed meanwhile.
struct Taken {
  Job job;
  CancelToken cancel;
};

struct ListQuery {
  Kind kind = Kind::Video;
  std::string after;  // id of the last job seen, also if it is gone since (as far back as the store
                      // remembers); "" from the start; unknown: an empty page
  size_t limit = 20;
  bool newest_first = true;
  std::optional<std::string> owner{};  // only its jobs: the others are as if they were not there
};

struct Page {
  std::vector<Job> jobs;
  bool has_more = false;
};

struct Counts {
  size_t queued = 0;
  size_t in_progress = 0;
};

struct StoreState {
  double oldest_seconds = 0;  // since the longest waiting job was submitted
  uint64_t preemptions = 0;   // jobs put back, ever
  uint64_t bytes = 0;         // of the files of all jobs
};

/// Every job, its moves and its turn. All calls from any thread; none waits for a running job,
/// but `take` and `wait`, which say so.
class JobStore {
 public:
  virtual ~JobStore() = default;

  /// Queues a new job; durable, if this store is, before it returns. Throws Error(QueueFull),
  /// Error(StorageFull), or Error(Conflict) for a key that came with another content.
  virtual Submitted submit(JobSpec spec, const std::optional<Idempotency>& idempotency = {}) = 0;

  /// What submit() would return for a key that is known; else nothing. Throws Error(Conflict).
  virtual std::optional<Submitted> replayed(const Idempotency& idempotency) const = 0;

  /// The next job by the policy, now InProgress, or one that was put back. Waits for one. Once
  /// `stop` is requested it does not, and only takes what was put back.
  virtual std::optional<Taken> take(std::stop_token stop) = 0;

  /// Whether a job that waits is to run in place of this one, at its next step boundary.
  virtual bool is_preempted(const std::string& id) const = 0;

  /// A job in progress waits for its turn to go on; its status stays. Its worker keeps what has
  /// been done. False if it was not in progress any more.
  virtual bool put_back(const std::string& id) = 0;

  /// Of a job in progress; else nothing happens.
  virtual void progress(const std::string& id, const JobProgress& progress) = 0;

  /// False if the job was not in progress any more (cancelled, removed): its files are unwanted.
  virtual bool complete(const std::string& id, Result result) = 0;
  virtual bool fail(const std::string& id, JobError error) = 0;

  using Clock = std::chrono::steady_clock;

  /// Fails the jobs, queued or running, whose timeout has passed; when the next one will.
  virtual std::optional<Clock::time_point> fail_overdue(Clock::time_point now) = 0;

  /// Ends the queued jobs that would not outlive this process.
  virtual void give_up_queue(const std::string& why) = 0;

  /// Ends a queued or running job at once; its generator stops at the next step. A finished job
  /// stays what it is. Throws Error(NotFound), Error(Gone).
  virtual Job cancel(const std::string& id, const std::string& why) = 0;

  /// Cancels if need be and forgets. The reply is the job's last state; its files are the caller's
  /// to remove. Throws Error(NotFound), Error(Gone).
  virtual Job remove(const std::string& id) = 0;

  /// Forgets the finished jobs whose time was up before the second `now` since 1970. Their files
  /// are the caller's to remove.
  virtual std::vector<Job> expire(int64_t now) = 0;

  /// Forgets finished jobs, the longest finished first, until the files of those left take at most
  /// `bytes`, or one is left. Their files are the caller's to remove.
  virtual std::vector<Job> shrink(uint64_t bytes) = 0;

  virtual std::optional<Job> find(const std::string& id) const = 0;

  /// Throws Error(NotFound), or Error(Gone) for one that expired or made room, as far back as this
  /// store remembers. With an `owner`, another's job is not found, whatever it is.
  virtual Job get(const std::string& id, const std::optional<std::string>& owner = {}) const = 0;

  virtual Page list(const ListQuery& query) const = 0;
  virtual Counts counts(Kind kind) const = 0;
  virtual StoreState state() const = 0;

  /// About how many seconds until another job of `owner` has room in a queue that is full, by what
  /// those at work still need and the last jobs took. Nothing if that is not known.
  virtual std::optional<double> seconds_to_room(const std::string& owner) const = 0;

  /// Waits until the job is finished, or for `timeout`. Throws Error(NotFound), Error(Gone), also
  /// when it is removed meanwhile.
  virtual Job wait(const std::string& id, std::chrono::milliseconds timeout) const = 0;

  /// Ends the watching when destroyed; no call to the listener begins after that.
  class Watch {
   public:
    virtual ~Watch() = default;
  };

  /// `listener` is told of every change of every job, in order, one at a time, on the threads that
  /// make changes: it must be quick and throw nothing, and may read the store but not change it,
  /// nor begin or end a watch. The store outlives the watch.
  using Listener = std::function<void(const Job&)>;
  [[nodiscard]] virtual std::unique_ptr<Watch> watch(Listener listener) = 0;
};

}  // namespace reel::jobs
