#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

#include "reel/jobs/job.h"

namespace reel::store {

/// The last jobs that a store let go: their ids are told from ones that never were.
class ForgottenJobs {
 public:
  static constexpr size_t kMost = 10'000;

  struct Entry {
    jobs::Kind kind;
    std::string owner;
    uint64_t sequence;
    const char* gone;  // why, if by itself; else it was deleted
  };

  void add(const std::string& id, Entry entry) {
    entries_[id] = std::move(entry);
    in_order_.push_back(id);
    if (in_order_.size() <= kMost) return;
    entries_.erase(in_order_.front());
    in_order_.pop_front();
  }

  const Entry* find(const std::string& id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
  }

 private:
  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::string> in_order_;
};

}  // namespace reel::store
