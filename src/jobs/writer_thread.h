#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace reel::jobs {

/// Runs tasks one after another on a thread of its own, as long as what they carry fits.
class WriterThread {
 public:
  explicit WriterThread(size_t max_bytes);

  /// Runs what was posted, then ends.
  ~WriterThread();

  /// Waits while others carry so much that `bytes` more, if there are any, would pass the limit.
  /// `task` must not throw.
  void post(size_t bytes, std::function<void()> task);

 private:
  void run();

  const size_t max_bytes_;
  std::mutex mutex_;
  std::condition_variable posted_, freed_;
  std::deque<std::pair<size_t, std::function<void()>>> tasks_;
  size_t bytes_ = 0;  // of all tasks, the running one included
  bool ending_ = false;
  std::jthread thread_;
};

}  // namespace reel::jobs
