#pragma once

#include <c10/core/Device.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace reel::dist {

/// A rank: one thread with one device, kept for the life of the engine, so that what libtorch
/// and cuDNN keep per thread (plans, handles) stays warm. In inference mode throughout.
class RankThread {
 public:
  RankThread(int rank, c10::Device device);
  ~RankThread();  // after the work in hand

  /// Runs `work` on the rank's thread and waits for it. What it throws, this throws.
  /// One caller at a time; others wait their turn.
  void run(const std::function<void()>& work);

  c10::Device device() const { return device_; }

 private:
  void loop(const std::stop_token& stop);

  const int rank_;
  const c10::Device device_;
  std::mutex turn_;   // one run() at a time
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  const std::function<void()>* work_ = nullptr;
  std::exception_ptr fault_;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace reel::dist
