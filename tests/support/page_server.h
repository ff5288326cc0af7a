#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace reel::test {

/// A server on loopback that answers each GET with what `page` makes of its path, and hangs up;
/// with nothing, it stays silent.
class PageServer {
 public:
  using Page = std::function<std::string(const std::string& path)>;

  explicit PageServer(Page page)
      : page_(std::move(page)), socket_(socket(AF_INET, SOCK_STREAM, 0)) {
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
  ~PageServer() {
    thread_.request_stop();
    thread_.join();
    close(socket_);
  }

  int port() const { return port_; }
  int connections() const { return connections_; }
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
      ++connections_;
      const std::string answer = page_(path_of(client));
      if (answer.empty()) {
        silent.push_back(client);
        continue;
      }
      send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      close(client);
    }
    for (const int client : silent) close(client);
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
  int socket_;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::jthread thread_;
};

}  // namespace reel::test
