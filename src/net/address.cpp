#include "reel/net/address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstdint>
#include <memory>

#include "reel/base/error.h"

namespace reel::net {
namespace {

constexpr size_t kMostUrl = 2048;  // bytes

struct Network {
  uint32_t address;
  int bits;
};

// RFC 6890 and its successors: all of IPv4 that is not global.
constexpr Network kNotPublic[] = {
    {0x00000000, 8},   // this network
    {0x0a000000, 8},   // private
    {0x64400000, 10},  // shared by carriers
    {0x7f000000, 8},   // loopback
    {0xa9fe0000, 16},  // link-local; metadata of clouds
    {0xac100000, 12},  // private
    {0xc0000000, 24},  // protocol assignments
    {0xc0000200, 24},  // documentation
    {0xc0586300, 24},  // 6to4 relays
    {0xc0a80000, 16},  // private
    {0xc6120000, 15},  // benchmarks
    {0xc6336400, 24},  // documentation
    {0xcb007100, 24},  // documentation
    {0xe0000000, 3},   // multicast, reserved, broadcast
};

bool is_public_v4(uint32_t address) {
  for (const auto& [network, bits] : kNotPublic) {
    if ((address ^ network) >> (32 - bits) == 0) return false;
  }
  return true;
}

// 2000::/3 is what is handed out; in it, these are for protocols, documentation and tunnels.
bool is_public_v6(const uint8_t* a) {
  if (a[0] >> 5 != 1) return false;
  const unsigned first = a[0] << 8 | a[1], second = a[2] << 8 | a[3];
  if (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) return false;
  return first != 0x2002 && first != 0x3fff;
}

using Text = std::unique_ptr<char, void (*)(void*)>;

Text part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  curl_url_get(url, which, &text, 0);
  return {text, curl_free};
}

bool is_local_name(std::string host) {
  for (char& c : host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (host.ends_with('.')) host.pop_back();
  return host == "localhost" || host.ends_with(".localhost");
}

// Also 127.1, 0x7f000001 and the like.
bool is_private_number(std::string host) {
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  return !is_public(*addresses->ai_addr);
}

}  // namespace

bool is_public(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return is_public_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  }
  return address.sa_family == AF_INET6 &&
         is_public_v6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr);
}

void check_url(const std::string& url, bool public_only, const std::string& field) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  const std::string shown = url.substr(0, 80);
  bool good = url.size() <= kMostUrl &&
              curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK;
  if (good) {
    const std::string scheme = part(parsed.get(), CURLUPART_SCHEME).get();
    good = (scheme == "http" || scheme == "https") && !part(parsed.get(), CURLUPART_USER) &&
           !part(parsed.get(), CURLUPART_PASSWORD);
  }
  require(good,
          fmt::format("{}: expected http://… or https://… without a user, got '{}'", field, shown),
          field);
  const std::string host = part(parsed.get(), CURLUPART_HOST).get();
  require(!public_only || !(is_local_name(host) || is_private_number(host)),
          fmt::format("{}: expected a public address, got '{}'", field, shown), field);
}

}  // namespace reel::net
