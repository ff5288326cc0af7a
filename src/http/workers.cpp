#include "workers.h"

#include <utility>

namespace reel::http {
namespace {

std::optional<Outgoing> carry_out(Task task, Parser& parser, const Handler& handler) {
  if (auto* exchange = std::get_if<Exchange>(&task.work)) {
    return parser.answer(std::move(*exchange), handler);
  }
  if (auto* gone = std::get_if<Task::Gone>(&task.work)) {
    gone->gone();
    return std::nullopt;
  }
  if (auto* next = std::get_if<Task::Next>(&task.work)) {
    Outgoing outgoing;
    bool last = false;
    outgoing.bytes = next->events.next(last);
    if (!last) outgoing.events = std::move(next->events);
    return outgoing;
  }
  auto& [wait, method, close] = std::get<Task::Poll>(task.work);
  if (auto ready = wait.poll()) return written(method, *std::move(ready), close);
  Outgoing outgoing;
  outgoing.wait = std::move(wait);
  return outgoing;
}

}  // namespace

Workers::Workers(int threads, Handler handler, std::function<void(Finished)> finished)
    : handler_(std::move(handler)), finished_(std::move(finished)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  added_.notify_all();
}

void Workers::add(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  added_.notify_one();
}

void Workers::run() {
  Parser parser;
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      added_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    const uint64_t connection = task.connection;
    if (auto outgoing = carry_out(std::move(task), parser, handler_)) {
      finished_({connection, *std::move(outgoing)});
    }
  }
}

}  // namespace reel::http
