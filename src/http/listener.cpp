#include "listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::http {
namespace {

constexpr int kPortStep = 42;
constexpr int kPortTries = 100;
constexpr int kBacklog = 4096;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int fault = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (fault != 0) {
    throw Error(
        ErrorCode::InvalidArgument,
        fmt::format("host: '{}' is no address of this machine: {}", host, gai_strerror(fault)),
        "host");
  }
  return {found, freeaddrinfo};
}

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  const auto port = address.ss_family == AF_INET6
                        ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                        : reinterpret_cast<const sockaddr_in&>(address).sin_port;
  return ntohs(port);
}

// Nothing if the port is taken.
std::optional<Listener> bind_to(const std::string& host, int port) {
  const Addresses addresses = resolve(host, port);
  int why = 0;
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    Descriptor socket(
        ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol));
    const int on = 1;
    if (socket && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(socket.get(), at->ai_addr, at->ai_addrlen) == 0 &&
        listen(socket.get(), kBacklog) == 0) {
      const int bound = port_of(socket.get());
      return Listener{std::move(socket), bound};
    }
    why = errno;
  }
  if (why == EADDRINUSE) return std::nullopt;
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("port: cannot listen on {}:{}: {}", host, port, std::strerror(why)),
              "port");
}

}  // namespace

Listener listen_on(const std::string& host, int port, bool strict) {
  require(port >= 0 && port <= 65535, fmt::format("port: expected 0..65535, got {}", port), "port");
  int next = port;
  for (int tries = 0; tries < (strict ? 1 : kPortTries) && next <= 65535; ++tries) {
    if (auto listener = bind_to(host, next)) {
      if (next != port) {
        log::info("http.port_taken", {{"asked", port}, {"got", listener->port}});
      }
      return *std::move(listener);
    }
    next += kPortStep;
  }
  throw Error(ErrorCode::InvalidArgument,
              strict ? fmt::format("port: HTTP port {} is unavailable and strict-ports is on", port)
                     : fmt::format("port: HTTP port {} and those after it are unavailable", port),
              "port");
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string peer_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char text[NI_MAXHOST] = "";
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text, sizeof text, nullptr, 0,
                NI_NUMERICHOST);
  }
  return text;
}

}  // namespace reel::http
