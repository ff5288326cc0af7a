#include "reel/dist/rank_thread.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <pthread.h>

namespace reel::dist {

RankThread::RankThread(int rank, c10::Device device)
    : rank_(rank), device_(device), thread_([this](const std::stop_token& s) { loop(s); }) {}

RankThread::~RankThread() {
  thread_.request_stop();
  thread_.join();
}

void RankThread::run(const std::function<void()>& work) {
  const std::lock_guard turn(turn_);
  std::unique_lock lock(mutex_);
  work_ = &work;
  changed_.notify_all();
  changed_.wait(lock, [this] { return work_ == nullptr; });
  if (fault_) std::rethrow_exception(std::exchange(fault_, nullptr));
}

void RankThread::loop(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), fmt::format("rank-{}", rank_).c_str());
  const c10::InferenceMode inference;
  const c10::OptionalDeviceGuard guard(device_.is_cuda() ? std::optional(device_) : std::nullopt);
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return work_ != nullptr; })) {
    lock.unlock();
    std::exception_ptr fault;
    try {
      (*work_)();
    } catch (...) {
      fault = std::current_exception();
    }
    lock.lock();
    fault_ = fault;
    work_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace reel::dist
