#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "queue_line.h"
#include "reel/base/clock.h"
#include "reel/jobs/job_store.h"
#include "reel/jobs/queue_policy.h"

namespace reel::store {

/// The jobs that have not ended: those that wait, in order, and those at work. Not locked.
class JobQueue {
 public:
  using Clock = jobs::JobStore::Clock;

  /// One of them. Stays where it is until it is removed.
  struct Entry {
    jobs::Job job;
    std::optional<Clock::time_point> deadline{};
    double begins = 0;                 // by its owner's clock
    std::optional<jobs::Turn> turn{};  // while it waits
    Stopwatch since_queued{}, since_taken{};
  };

  /// `max_per_owner` 0: no limit but `max_queued`.
  JobQueue(size_t max_queued, size_t max_per_owner, jobs::QueueOrder order)
      : max_queued_(max_queued), max_per_owner_(max_per_owner), policy_(order) {}

  /// Throws Error(QueueFull) if no more jobs of `owner` may wait.
  void require_room(const std::string& owner) const;

  void add(Entry& entry);

  /// Null if there is none.
  Entry* first() const;
  Entry* first_put_back() const;
  Entry* longest_queued() const;

  /// Takes it out of the line. Its job is still as it was queued or put back.
  void take(Entry& entry);
  void put_back(Entry& entry);

  /// It ends, whether it waits or is at work. Its job is still as it was.
  void remove(Entry& entry);

  /// One whose deadline is not after `now`; null if there is none.
  Entry* overdue(Clock::time_point now) const;
  std::optional<Clock::time_point> next_deadline() const;

  /// As JobStore::is_preempted, of one at work.
  bool is_preempted(const Entry& entry) const;

  /// A job of that cost took that long.
  void measured(double seconds, double cost);

  double oldest_seconds() const;
  uint64_t preemptions() const { return preemptions_; }

  /// How many go before one that waits, and how long until it is done.
  struct Outlook {
    size_t position = 0;
    std::optional<double> seconds{};
  };

  /// Times are by what the last jobs took and those at work still need; nothing if that is not
  /// known. Of one that waits, and as JobStore::seconds_to_room.
  Outlook outlook(const Entry& entry) const;
  std::optional<double> seconds_to_room(const std::string& owner) const;

 private:
  bool is_full_for(const std::string& owner) const;
  std::optional<double> seconds_to_take(const jobs::Turn& turn,
                                        const QueueLine<Entry>::Before& before) const;
  std::optional<double> seconds_to_take(const jobs::Turn& turn) const {
    return seconds_to_take(turn, line_.before(turn));
  }
  std::optional<double> seconds_left(const Entry& at_work) const;
  void join_line(Entry& entry);
  void leave_line(const Entry& entry);

  const size_t max_queued_, max_per_owner_;
  jobs::QueuePolicy policy_;
  QueueLine<Entry> line_;
  std::set<const Entry*> running_;
  std::map<uint64_t, Entry*> queued_;                                // by sequence; none put back
  std::unordered_map<std::string, std::set<jobs::Turn>> queued_of_;  // by owner
  std::set<std::pair<Clock::time_point, Entry*>> deadlines_;
  std::optional<double> seconds_by_cost_;  // of the last jobs
  uint64_t preemptions_ = 0;
};

}  // namespace reel::store
