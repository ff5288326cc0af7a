#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "reel/jobs/job_store.h"

namespace reel::http {

/// What happened to jobs lately, numbered from 1, for clients that watch. Any thread.
class EventFeed {
 public:
  static constexpr size_t kKept = 4096;  // events

  explicit EventFeed(jobs::JobStore& jobs);

  struct Event {
    uint64_t number = 0;
    std::string_view
        type;  // "queued", "started", "progress", "preview", "completed", "failed", "cancelled"
    jobs::Job job;  // as it was then
  };

  /// The next event after number `at` of job `id`, of any job if that is ""; `at` then is its
  /// number, or that of the newest event if there is none. Sets `lost` if events in between are not
  /// kept any more.
  std::optional<Event> next(uint64_t& at, const std::string& id, bool* lost = nullptr) const;

  uint64_t newest() const;

  /// What clients are given for a number, and what it means when they come back: nothing if this
  /// process never gave it.
  std::string name_of(uint64_t number) const;
  std::optional<uint64_t> number_of(std::string_view name) const;

 private:
  void add(const jobs::Job& job);
  uint64_t first() const { return newest_ - events_.size() + 1; }

  const std::string process_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Event> events_;
  uint64_t newest_ = 0;
  std::set<std::string> at_work_;

  std::unique_ptr<jobs::JobStore::Watch> watch_;  // ends first
};

}  // namespace reel::http
