#pragma once

#include <deque>
#include <list>
#include <memory>
#include <mutex>

#include "reel/jobs/job_store.h"

namespace reel::store {

/// Changes of jobs on their way to the listeners of a store. Any thread.
class News {
 public:
  using Listener = jobs::JobStore::Listener;

  void push_back(jobs::Job job);

  /// Tells the listeners, in order, what they do not know yet. Without a lock that they may need.
  void deliver();

  /// As JobStore::watch.
  std::unique_ptr<jobs::JobStore::Watch> watch(Listener listener);

 private:
  class Registration;

  std::mutex delivery_;  // taken before `mutex_`; guards the listeners
  std::list<Listener> listeners_;
  std::mutex mutex_;  // guards the news
  std::deque<jobs::Job> news_;
};

}  // namespace reel::store
