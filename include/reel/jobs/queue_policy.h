#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "reel/jobs/job.h"

namespace reel::jobs {

/// A job's place in line.
struct Turn {
  int priority = 0;       // the higher goes first,
  double rank = 0;        // then the lower,
  uint64_t sequence = 0;  // then who came first

  friend bool operator<(const Turn& a, const Turn& b) {
    return std::tie(b.priority, a.rank, a.sequence) < std::tie(a.priority, b.rank, b.sequence);
  }
};

enum class QueueOrder { Fifo, Shortest };

/// What a job is expected to cost: forward passes of the transformer, times latent tokens.
double cost_of(const JobSpec& spec);
/// Of that, what is not done.
double cost_left(const Job& job);

/// Who goes first. Calls are serialised.
///
/// The higher priority does, always. Within one, each owner has a clock that its jobs move on by
/// what they cost, and the job goes first that begins earliest by its owner's clock (start-time
/// fair queueing): a job of an owner that had none waits behind the one at work and at most one
/// more, and an owner's jobs go in the order of submission.
///
/// Shortest puts each job back by kPatience times what is left of it: short ones overtake long
/// ones, and a long one waits beyond its turn for at most kPatience times its own cost of each
/// owner's work. So every job's turn comes, unless work of a higher priority never ends.
class QueuePolicy {
 public:
  static constexpr double kPatience = 8;

  explicit QueuePolicy(QueueOrder order = QueueOrder::Fifo) : order_(order) {}

  /// A job queues: when it begins by its owner's clock.
  double queued(const JobSpec& spec);

  /// A queued job is taken, or withdrawn.
  void taken(const JobSpec& spec, double begins);
  void withdrawn(const JobSpec& spec, double begins);

  /// By what is left of the job now.
  Turn turn(const Job& job, double begins) const;

  /// Whether the first in line is to run in place of a running job: it has a higher priority, or
  /// with Shortest would come first even if half of what is left of the other were done.
  bool preempts(const Turn& first, const Job& running, double begins) const;

 private:
  struct Owner {
    double taken_until = 0;
    std::multiset<double> queued_until;
    double until() const {
      return queued_until.empty() ? taken_until : std::max(taken_until, *queued_until.rbegin());
    }
  };
  struct Level {
    double now = 0;  // where the latest of the taken jobs began
    std::map<std::string, Owner> owners;
  };

  Turn turn(const Job& job, double begins, double left) const;

  const QueueOrder order_;
  std::map<int, Level> levels_;  // by priority
};

}  // namespace reel::jobs
