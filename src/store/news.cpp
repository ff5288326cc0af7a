#include "news.h"

#include <utility>

namespace reel::store {

class News::Registration final : public jobs::JobStore::Watch {
 public:
  Registration(News& news, Listener listener) : news_(news) {
    const std::lock_guard lock(news_.delivery_);
    listener_ = news_.listeners_.insert(news_.listeners_.end(), std::move(listener));
  }
  ~Registration() override {
    const std::lock_guard lock(news_.delivery_);
    news_.listeners_.erase(listener_);
  }

 private:
  News& news_;
  std::list<Listener>::iterator listener_;
};

void News::push_back(jobs::Job job) {
  const std::lock_guard lock(mutex_);
  news_.push_back(std::move(job));
}

void News::deliver() {
  const std::lock_guard telling(delivery_);
  for (;;) {
    std::unique_lock lock(mutex_);
    if (news_.empty()) return;
    const jobs::Job job = std::move(news_.front());
    news_.pop_front();
    lock.unlock();
    for (const Listener& listener : listeners_) listener(job);
  }
}

std::unique_ptr<jobs::JobStore::Watch> News::watch(Listener listener) {
  return std::make_unique<Registration>(*this, std::move(listener));
}

}  // namespace reel::store
