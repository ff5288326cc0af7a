#include "reel/net/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "handle.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/net/address.h"

namespace reel::net {
namespace {

constexpr int kMostRedirects = 5;

/// The body of what `url` names; or makes `url` what it redirects to.
std::optional<std::string> get(std::string& url, Reach reach, const Limits& limits,
                               const std::string& field) {
  check_url(url, reach == Reach::Public, field);
  const auto fail = [&](const std::string& why) -> Error {
    return {ErrorCode::InvalidArgument, fmt::format("{}: {}: {}", field, url.substr(0, 200), why),
            field};
  };
  const Handle handle = open_handle();
  CURL* const curl = handle.get();
  Received received{{}, limits.max_bytes};
  bool refused = false;
  set_limits(curl, limits);
  if (reach == Reach::Public) connect_to_public_only(curl, refused);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.max_bytes));
  receive_into(curl, received);
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED) {
    throw Error(
        ErrorCode::TooLarge,
        fmt::format("{}: {} has over {} bytes", field, url.substr(0, 200), limits.max_bytes),
        field);
  }
  if (refused) throw fail("its address is not public");
  if (code != CURLE_OK) throw fail(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  char* next = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
  if (next != nullptr) {
    url = next;
    return std::nullopt;
  }
  if (status != 200) throw fail(fmt::format("expected status 200, got {}", status));
  return std::move(received.body);
}

}  // namespace

std::string fetch(const std::string& url, Reach reach, const Limits& limits,
                  const std::string& field) {
  require(reach != Reach::Nothing,
          fmt::format("{}: this server fetches nothing: send the file itself", field), field);
  std::string at = url;
  const Stopwatch watch;
  for (int i = 0; i <= kMostRedirects; ++i) {
    Limits left = limits;
    left.timeout_s = std::max(limits.timeout_s - watch.seconds(), 0.001);  // 0 would be for ever
    if (auto body = get(at, reach, left, field)) return *std::move(body);
  }
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("{}: over {} redirects", field, kMostRedirects), field);
}

}  // namespace reel::net
