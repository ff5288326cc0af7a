#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "loopback.h"

namespace reel::test {

/// A server on loopback that answers one request at a time, with the statuses that it was given (at
/// last the last one), and keeps what it was sent. 0: it answers nothing, and hangs up when it
/// ends.
class Receiver {
 public:
  explicit Receiver(std::deque<int> statuses = {200}) : statuses_(std::move(statuses)) {}

  std::string url() const { return server_.url("/hook"); }

  /// Heads and bodies, as they came.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  bool answer(int client) {
    std::string request;
    char buffer[4096];
    size_t whole = std::string::npos;
    while (request.size() < whole) {
      const ssize_t got = recv(client, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      request.append(buffer, static_cast<size_t>(got));
      const size_t head = request.find("\r\n\r\n"), length = request.find("Content-Length: ");
      if (head != std::string::npos && length != std::string::npos) {
        whole = head + 4 + std::stoul(request.substr(length + 16));
      }
    }
    int status;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      status = statuses_.front();
      if (statuses_.size() > 1) statuses_.pop_front();
    }
    const std::string reply =
        "HTTP/1.1 " + std::to_string(status) +
        " x\r\nLocation: /other\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    if (status != 0) send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
    return status != 0;
  }

  mutable std::mutex mutex_;  // guards what follows
  std::deque<int> statuses_;
  std::vector<std::string> requests_;

  Loopback server_{[this](int client) { return answer(client); }};  // last: it uses the rest
};

}  // namespace reel::test
