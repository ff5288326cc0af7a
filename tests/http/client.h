#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace reel::http {

/// A raw client: what is sent is what the test says, byte for byte.
class Client {
 public:
  struct Response {
    int status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;

    nlohmann::json json() const { return nlohmann::json::parse(body); }
  };

  explicit Client(int port, int receive_buffer = 0) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) {
      setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("connect failed");
    }
  }
  virtual ~Client() {
    if (socket_ >= 0) close(socket_);
  }
  Client(Client&& other) noexcept : socket_(other.socket_), in_(std::move(other.in_)) {
    other.socket_ = -1;
  }
  Client& operator=(Client&&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send_some(bytes.data(), bytes.size());
      if (sent <= 0) throw std::runtime_error("send failed");
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void half_close() { shutdown(socket_, SHUT_WR); }

  /// The next response; status 0 if the server closed or nothing came in time.
  Response read(bool of_head = false, int timeout_ms = 10'000) {
    Response response;
    size_t end;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!more(timeout_ms)) return response;
    }
    response.status = std::stoi(in_.substr(9, 3));
    for (size_t at = in_.find("\r\n") + 2; at < end + 2;) {
      const size_t stop = in_.find("\r\n", at);
      const std::string line = in_.substr(at, stop - at);
      std::string name = line.substr(0, line.find(':'));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (response.headers.contains(name)) throw std::runtime_error("header twice: " + name);
      response.headers[name] = line.substr(line.find(':') + 2);
      at = stop + 2;
    }
    in_.erase(0, end + 4);
    if (of_head || response.status < 200 || response.status == 204) return response;
    const auto length = std::stoul(response.headers.at("content-length"));
    while (in_.size() < length && more(timeout_ms)) {
    }
    if (in_.size() < length) throw std::runtime_error("the body is cut off");
    response.body = in_.substr(0, length);
    in_.erase(0, length);
    return response;
  }

  /// What comes until `mark` has come, or without one until the server closes.
  std::string read_until(std::string_view mark = {}) {
    while ((mark.empty() || in_.find(mark) == std::string::npos) && more(10'000)) {
    }
    const size_t at = mark.empty() ? std::string::npos : in_.find(mark);
    const size_t end = at == std::string::npos ? in_.size() : at + mark.size();
    std::string text = in_.substr(0, end);
    in_.erase(0, end);
    return text;
  }

  Response ask(std::string_view method, std::string_view target, std::string_view headers = {},
               std::string_view body = {}) {
    std::string text = std::string(method) + " " + std::string(target) +
                       " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers);
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    send(text + "\r\n" + std::string(body));
    return read(method == "HEAD");
  }
  Response get(std::string_view target, std::string_view headers = {}) {
    return ask("GET", target, headers);
  }
  Response post_json(std::string_view target, const nlohmann::json& body) {
    return ask("POST", target, "Content-Type: application/json\r\n", body.dump());
  }

  /// Whether the server closes the connection, all bytes of which have been read, in time.
  bool closed(int timeout_ms = 10'000) { return in_.empty() && !more(timeout_ms) && ended_; }

 protected:
  int socket() const { return socket_; }

 private:
  virtual ssize_t send_some(const char* from, size_t size) {
    return ::send(socket_, from, size, MSG_NOSIGNAL);
  }
  virtual ssize_t receive_some(char* to, size_t size) { return recv(socket_, to, size, 0); }
  virtual bool buffered() const { return false; }  // received, and not yet asked for

  bool more(int timeout_ms) {
    pollfd waited{socket_, POLLIN, 0};
    if (!buffered() && poll(&waited, 1, timeout_ms) <= 0) return false;
    char buffer[65536];
    const ssize_t got = receive_some(buffer, sizeof buffer);
    ended_ = got <= 0;
    if (got > 0) in_.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }

  int socket_;
  std::string in_;
  bool ended_ = false;
};

}  // namespace reel::http
