#include "job_queue.h"

#include <fmt/format.h>

#include <algorithm>

#include "reel/base/error.h"

namespace reel::store {

using jobs::Status;

bool JobQueue::is_full_for(const std::string& owner) const {
  const auto own = queued_of_.find(owner);
  return max_per_owner_ > 0 && own != queued_of_.end() && own->second.size() >= max_per_owner_;
}

void JobQueue::require_room(const std::string& owner) const {
  if (queued_.size() >= max_queued_) {
    throw Error(ErrorCode::QueueFull,
                fmt::format("the queue is full: {} jobs wait", queued_.size()));
  }
  if (is_full_for(owner)) {
    throw Error(ErrorCode::QueueFull,
                fmt::format("the queue is full for this key: {} of its jobs wait", max_per_owner_));
  }
}

void JobQueue::add(Entry& entry) {
  entry.begins = policy_.queued(*entry.job.spec);
  join_line(entry);
  queued_[entry.job.sequence] = &entry;
  queued_of_[entry.job.spec->owner].insert(*entry.turn);
  if (const auto timeout = entry.job.spec->timeout_s) {
    const std::chrono::duration<double> time(*timeout);
    entry.deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
    deadlines_.emplace(*entry.deadline, &entry);
  }
}

JobQueue::Entry* JobQueue::first() const {
  return line_.empty() ? nullptr : line_.begin()->second.entry;
}

JobQueue::Entry* JobQueue::first_put_back() const {
  for (const auto& [turn, place] : line_) {
    if (place.entry->job.status == Status::InProgress) return place.entry;
  }
  return nullptr;
}

JobQueue::Entry* JobQueue::longest_queued() const {
  return queued_.empty() ? nullptr : queued_.begin()->second;
}

void JobQueue::take(Entry& entry) {
  leave_line(entry);
  if (entry.job.status == Status::Queued) policy_.taken(*entry.job.spec, entry.begins);
  entry.turn.reset();
  entry.since_taken.restart();
  running_.insert(&entry);
}

void JobQueue::put_back(Entry& entry) {
  running_.erase(&entry);
  join_line(entry);
  ++preemptions_;
}

void JobQueue::remove(Entry& entry) {
  if (entry.deadline) deadlines_.erase({*entry.deadline, &entry});
  if (!entry.turn) {
    running_.erase(&entry);
    return;
  }
  leave_line(entry);
  entry.turn.reset();
  if (entry.job.status == Status::Queued) policy_.withdrawn(*entry.job.spec, entry.begins);
}

void JobQueue::join_line(Entry& entry) {
  entry.turn = policy_.turn(entry.job, entry.begins);
  line_.add(*entry.turn, entry, jobs::cost_left(entry.job));
}

void JobQueue::leave_line(const Entry& entry) {
  line_.remove(*entry.turn);
  if (queued_.erase(entry.job.sequence) == 0) return;  // it was put back
  const auto own = queued_of_.find(entry.job.spec->owner);
  own->second.erase(*entry.turn);
  if (own->second.empty()) queued_of_.erase(own);
}

JobQueue::Entry* JobQueue::overdue(Clock::time_point now) const {
  return deadlines_.empty() || deadlines_.begin()->first > now ? nullptr
                                                               : deadlines_.begin()->second;
}

std::optional<JobQueue::Clock::time_point> JobQueue::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

bool JobQueue::is_preempted(const Entry& entry) const {
  const Entry* next = first();
  if (entry.turn || next == nullptr) return false;
  if (!policy_.preempts(*next->turn, entry.job, entry.begins)) return false;
  const auto turn = policy_.turn(entry.job, entry.begins);
  return std::none_of(running_.begin(), running_.end(), [&](const Entry* other) {
    return turn < policy_.turn(other->job, other->begins);  // that one goes first
  });
}

void JobQueue::measured(double seconds, double cost) {
  constexpr double kWeight = 0.2;  // of the newest
  const double by_cost = seconds / std::max(cost, 1.0);
  seconds_by_cost_ =
      seconds_by_cost_ ? *seconds_by_cost_ + kWeight * (by_cost - *seconds_by_cost_) : by_cost;
}

double JobQueue::oldest_seconds() const {
  return queued_.empty() ? 0 : queued_.begin()->second->since_queued.seconds();
}

std::optional<double> JobQueue::seconds_left(const Entry& at_work) const {
  if (const auto& eta = at_work.job.progress.eta_seconds) return eta;
  if (!seconds_by_cost_) return std::nullopt;
  const double whole = jobs::cost_left(at_work.job) * *seconds_by_cost_;
  return std::max(0.0, whole - at_work.since_taken.seconds());
}

std::optional<double> JobQueue::seconds_to_take(const jobs::Turn& turn,
                                                const QueueLine<Entry>::Before& before) const {
  std::optional<double> first_ends;
  if (running_.empty() && seconds_by_cost_) first_ends = 0;
  for (const Entry* entry : running_) {
    // What goes first at the next step waits for no more than that.
    const auto left = policy_.preempts(turn, entry->job, entry->begins) ? 0 : seconds_left(*entry);
    if (left && (!first_ends || *left < *first_ends)) first_ends = left;
  }
  if (!first_ends || (before.jobs > 0 && !seconds_by_cost_)) return std::nullopt;
  const auto workers = static_cast<double>(std::max<size_t>(running_.size(), 1));
  return *first_ends + before.cost * seconds_by_cost_.value_or(0) / workers;
}

JobQueue::Outlook JobQueue::outlook(const Entry& entry) const {
  const auto before = line_.before(*entry.turn);
  const auto taken = seconds_to_take(*entry.turn, before);
  if (!taken || !seconds_by_cost_) return {before.jobs};
  return {before.jobs, *taken + jobs::cost_left(entry.job) * *seconds_by_cost_};
}

std::optional<double> JobQueue::seconds_to_room(const std::string& owner) const {
  if (queued_.empty()) return std::nullopt;
  // There is room when the first of those that fill the queue is taken: after all that go before.
  if (is_full_for(owner)) return seconds_to_take(*queued_of_.at(owner).begin());
  const auto queued = std::find_if(line_.begin(), line_.end(), [](const auto& place) {
    return place.second.entry->job.status == Status::Queued;
  });
  return seconds_to_take(queued->first);
}

}  // namespace reel::store
