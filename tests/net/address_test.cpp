#include "reel/net/address.h"

#include <gmock/gmock.h>

#include "reel/base/error.h"

namespace reel::net {
namespace {

std::string fault(const std::string& url, bool public_only = true) {
  try {
    check_url(url, public_only, "webhook_url");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(error.param(), "webhook_url");
    return error.what();
  }
  return "none";
}

TEST(Address, APublicOneIsTaken) {
  for (const char* host : {"example.com", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1",
                           "100.128.0.1", "192.167.0.1", "223.255.255.255", "198.17.0.1",
                           "[2606:4700::1111]", "[2a00:1450::1]", "localhost.example.com"}) {
    EXPECT_EQ(fault("https://" + std::string(host) + ":8443/hook?a=b"), "none") << host;
  }
}

TEST(Address, OneThatIsNotIsRefusedInAnySpelling) {
  for (const char* host : {"127.0.0.1",
                           "127.1",
                           "127.255.255.254",
                           "0.0.0.0",
                           "0",
                           "10.0.0.1",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "169.254.169.254",
                           "100.64.0.1",
                           "100.127.0.1",
                           "192.0.0.1",
                           "192.0.2.1",
                           "198.18.0.1",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "2130706433",
                           "0x7f000001",
                           "0x7f.1",
                           "017700000001",
                           "0177.0.0.1",
                           "localhost",
                           "LOCALHOST",
                           "localhost.",
                           "a.localhost",
                           "[::1]",
                           "[::]",
                           "[fc00::1]",
                           "[fd12::1]",
                           "[fe80::1]",
                           "[ff02::1]",
                           "[::ffff:127.0.0.1]",
                           "[::ffff:8.8.8.8]",
                           "[64:ff9b::7f00:1]",
                           "[2002:7f00:1::]",
                           "[2001::1]",
                           "[2001:db8::1]",
                           "[::127.0.0.1]",
                           "[3fff::1]"}) {
    EXPECT_THAT(fault("http://" + std::string(host) + "/"), testing::HasSubstr("public address"))
        << host;
    EXPECT_EQ(fault("http://" + std::string(host) + "/", false), "none") << host;
  }
}

TEST(Address, IsOfHttpWithoutAUser) {
  for (const std::string url :
       {"", "x", "example.com/x", "ftp://example.com", "file:///etc/passwd", "gopher://a",
        "http://", "unix:/a", "http://user@example.com", "http://user:word@example.com",
        "https://@a b/", "http://a:99999/"}) {
    EXPECT_THAT(fault(url, false), testing::HasSubstr("expected http://")) << url;
  }
  EXPECT_NE(fault("http://example.com/" + std::string(2048, 'x')), "none");
}

}  // namespace
}  // namespace reel::net
