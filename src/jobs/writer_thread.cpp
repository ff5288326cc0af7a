#include "writer_thread.h"

namespace reel::jobs {

WriterThread::WriterThread(size_t max_bytes) : max_bytes_(max_bytes), thread_([this] { run(); }) {}

WriterThread::~WriterThread() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  posted_.notify_one();
}

void WriterThread::post(size_t bytes, std::function<void()> task) {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return bytes == 0 || bytes_ == 0 || bytes_ + bytes <= max_bytes_; });
  bytes_ += bytes;
  tasks_.emplace_back(bytes, std::move(task));
  posted_.notify_one();
}

void WriterThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    posted_.wait(lock, [&] { return ending_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    auto [bytes, task] = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it carried is freed before it is discounted
    lock.lock();
    bytes_ -= bytes;
    freed_.notify_all();
  }
}

}  // namespace reel::jobs
