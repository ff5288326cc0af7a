#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace reel::test {

/// A server on loopback that answers one request at a time, with the statuses that it was given (at
/// last the last one), and keeps what it was sent. 0: it answers nothing, and hangs up when it
/// ends.
class Receiver {
 public:
  explicit Receiver(std::deque<int> statuses = {200})
      : statuses_(std::move(statuses)), socket_(socket(AF_INET, SOCK_STREAM, 0)) {
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
  ~Receiver() {
    thread_.request_stop();
    thread_.join();
    close(socket_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }

  /// Heads and bodies, as they came.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void run(const std::stop_token& stop) {
    std::vector<int> silent;
    while (!stop.stop_requested()) {
      pollfd waited{socket_, POLLIN, 0};
      if (poll(&waited, 1, 20) <= 0) continue;
      const int client = accept(socket_, nullptr, nullptr);
      const int status = answer(client);
      status == 0 ? silent.push_back(client) : static_cast<void>(close(client));
    }
    for (const int client : silent) close(client);
  }

  int answer(int client) {
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
    return status;
  }

  mutable std::mutex mutex_;  // guards what follows
  std::deque<int> statuses_;
  std::vector<std::string> requests_;

  const int socket_;
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace reel::test
