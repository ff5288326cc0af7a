#include "reel/net/fetch.h"

#include <gmock/gmock.h>

#include <functional>

#include "page_server.h"
#include "reel/base/error.h"

namespace reel::net {
namespace {

using test::PageServer;
using testing::HasSubstr;

Error fault_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::Internal, ""};
}

Error fault(const std::string& url, Reach reach, const Limits& limits = {}) {
  return fault_of([&] { fetch(url, reach, limits, "image_url"); });
}

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string moved(const std::string& to) {
  return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n";
}

TEST(Fetch, GivesTheBody) {
  PageServer server([](const std::string&) { return ok("a picture"); });
  EXPECT_EQ(fetch(server.url("/a"), Reach::Everything, {}, "f"), "a picture");
}

TEST(Fetch, FollowsRedirects) {
  PageServer server(
      [](const std::string& path) { return path == "/b" ? ok("there") : moved("/b"); });
  EXPECT_EQ(fetch(server.url("/a"), Reach::Everything, {}, "f"), "there");
  PageServer circle([](const std::string&) { return moved("/a"); });
  EXPECT_THAT(fault(circle.url("/a"), Reach::Everything).what(), HasSubstr("over 5 redirects"));
}

TEST(Fetch, JudgesEachRedirect) {
  for (const char* to : {"file:///etc/passwd", "ftp://example.com/a", "http://user@example.com/"}) {
    PageServer server([&](const std::string&) { return moved(to); });
    const Error error = fault(server.url("/"), Reach::Everything);
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(error.param(), "image_url");
  }
}

TEST(Fetch, ConnectsToPublicAddressesOnly) {
  PageServer server([](const std::string&) { return ok("a secret"); });
  for (const std::string host : {"127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"}) {
    const auto error =
        fault("http://" + host + ":" + std::to_string(server.port()) + "/", Reach::Public);
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument) << host;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(Fetch, FetchesNothingIfToldSo) {
  EXPECT_THAT(fault("http://8.8.8.8/", Reach::Nothing).what(), HasSubstr("fetches nothing"));
}

TEST(Fetch, HoldsItsLimits) {
  Limits limits;
  limits.max_bytes = 10;
  PageServer said([](const std::string&) { return ok(std::string(11, 'a')); });
  EXPECT_EQ(fault(said.url("/"), Reach::Everything, limits).code(), ErrorCode::TooLarge);
  PageServer unsaid([](const std::string&) {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(11, 'a');
  });
  EXPECT_EQ(fault(unsaid.url("/"), Reach::Everything, limits).code(), ErrorCode::TooLarge);
  limits.timeout_s = 0.2;
  PageServer silent([](const std::string&) { return std::string(); });
  EXPECT_THAT(fault(silent.url("/"), Reach::Everything, limits).what(), HasSubstr("Timeout"));
}

TEST(Fetch, TellsWhatWasAnswered) {
  PageServer server([](const std::string&) {
    return std::string("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_THAT(fault(server.url("/"), Reach::Everything).what(), HasSubstr("got 404"));
}

}  // namespace
}  // namespace reel::net
