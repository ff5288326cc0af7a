#include "handle.h"

#include <mutex>

#include "reel/base/error.h"

namespace reel::net {

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

}  // namespace reel::net
