#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace reel::test {

/// A server on loopback that takes one client at a time.
class Loopback {
 public:
  /// Reads a client's request and sends what it is to get; false: nothing, and the client is kept
  /// waiting until the server ends.
  using Answer = std::function<bool(int client)>;

  explicit Loopback(Answer answer)
      : answer_(std::move(answer)), socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_, generic, size) != 0 || listen(socket_, 64) != 0 ||
        getsockname(socket_, generic, &size) != 0) {
      throw std::runtime_error("no port");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~Loopback() {
    thread_.request_stop();
    thread_.join();
    close(socket_);
  }

  int port() const { return port_; }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  void run(const std::stop_token& stop) {
    std::vector<int> silent;
    while (!stop.stop_requested()) {
      pollfd waited{socket_, POLLIN, 0};
      if (poll(&waited, 1, 20) <= 0) continue;
      const int client = accept(socket_, nullptr, nullptr);
      answer_(client) ? static_cast<void>(close(client)) : silent.push_back(client);
    }
    for (const int client : silent) close(client);
  }

  const Answer answer_;
  const int socket_;
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace reel::test
