#include "handle.h"

#include <sys/socket.h>

#include <mutex>

#include "reel/base/error.h"
#include "reel/net/address.h"

namespace reel::net {
namespace {

// Asked with the very address that is then connected to: a name cannot change its mind between.
curl_socket_t open_public(void* refused, curlsocktype, curl_sockaddr* address) {
  if (!is_public(address->addr)) {
    *static_cast<bool*>(refused) = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t append(char* data, size_t size, size_t count, void* user) {
  auto& received = *static_cast<Received*>(user);
  if (received.body.size() + size * count > received.max_bytes) return 0;
  received.body.append(data, size * count);
  return size * count;
}

}  // namespace

void start_libcurl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

Handle open_handle() {
  start_libcurl();
  Handle handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) throw Error(ErrorCode::Internal, "libcurl: no handle");
  return handle;
}

void set_limits(CURL* handle, const Limits& limits) {
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.timeout_s * 1e3));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(limits.connect_timeout_s * 1e3));
}

void receive_into(CURL* handle, Received& received) {
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received);
}

void connect_to_public_only(CURL* handle, bool& refused) {
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_public);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &refused);
  curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);  // none that was opened unasked
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
}

}  // namespace reel::net
