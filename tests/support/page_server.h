#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "loopback.h"

namespace reel::test {

/// A server on loopback that answers each GET with what `page` makes of its path, and hangs up;
/// with nothing, it stays silent.
class PageServer {
 public:
  using Page = std::function<std::string(const std::string& path)>;

  explicit PageServer(Page page) : page_(std::move(page)) {}

  int port() const { return server_.port(); }
  int connections() const { return connections_; }
  std::string url(const std::string& path) const { return server_.url(path); }

 private:
  bool answer(int client) {
    ++connections_;
    const std::string answer = page_(path_of(client));
    if (answer.empty()) return false;
    send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    return true;
  }

  static std::string path_of(int client) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = recv(client, buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      request.append(buffer, static_cast<size_t>(got));
    }
    const size_t from = request.find(' ') + 1;
    return request.substr(from, request.find(' ', from) - from);
  }

  Page page_;
  std::atomic<int> connections_ = 0;
  Loopback server_{[this](int client) { return answer(client); }};  // last: it uses the rest
};

}  // namespace reel::test
