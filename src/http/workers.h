#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "parser.h"

namespace reel::http {

/// Work that needs a thread: a request to answer, a wait to ask, events to put
/// into bytes, or a client that has gone.
struct Task {
  struct Poll {
    Wait wait;
    std::string method;
    bool close = false;
  };
  struct Next {
    Events events;
  };
  struct Gone {
    std::function<void()> gone;
  };
  uint64_t connection = 0;
  std::variant<Exchange, Poll, Next, Gone> work;
};

struct Finished {
  uint64_t connection = 0;
  Outgoing outgoing;
};

/// A few threads that run handlers. None waits for a client.
class Workers {
 public:
  /// `finished` is called from the threads.
  Workers(int threads, Handler handler, std::function<void(Finished)> finished);

  /// Finishes what was begun, drops what was not.
  ~Workers();

  void add(Task task);

 private:
  void run();

  const Handler handler_;
  const std::function<void(Finished)> finished_;
  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace reel::http
