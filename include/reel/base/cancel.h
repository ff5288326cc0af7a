#pragma once

#include <atomic>
#include <memory>

namespace reel {

/// A flag that one side raises and the other watches. Copies share the flag. Any thread.
class CancelToken {
 public:
  void cancel() const { flag_->store(true, std::memory_order_release); }
  bool cancelled() const { return flag_->load(std::memory_order_acquire); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace reel
