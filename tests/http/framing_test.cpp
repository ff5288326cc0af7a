#include "framing.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "client.h"
#include "error_reply.h"
#include "event_loop.h"

namespace reel::http {
namespace {

struct Case {
  const char* name;
  std::string request;
  int status;
};

// Each is sent over a socket to a whole event loop: it must be refused with `status`, the
// connection closed, and no handler called.
std::vector<Case> malformed() {
  const std::string get = "GET / HTTP/1.1\r\n", host = "Host: a\r\n", post = "POST / HTTP/1.1\r\n";
  const std::string chunked = post + host + "Transfer-Encoding: chunked\r\n\r\n";
  const auto length = [&](const std::string& value) {
    return post + host + "Content-Length:" + value + "\r\n\r\nhello";
  };
  const auto encoding = [&](const std::string& value) {
    return post + host + "Transfer-Encoding:" + value + "\r\n\r\n0\r\n\r\n";
  };
  std::string many = get + host;
  for (int i = 0; i < 100; ++i) many += "X: y\r\n";
  std::string large = get + host;
  for (int i = 0; i < 9; ++i) large += "X: " + std::string(4000, 'y') + "\r\n";
  return {
      {"length and chunked",
       post + host +
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
           "0\r\n\r\n",
       400},
      {"chunked and length",
       post + host +
           "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"
           "0\r\n\r\n",
       400},
      {"two lengths that differ",
       post + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"two lengths that agree",
       post + host + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {"a list of lengths", length(" 5, 5"), 400},
      {"a signed length", length(" +5"), 400},
      {"a negative length", length(" -5"), 400},
      {"a length in hex", length(" 0x5"), 400},
      {"a length with a space", length(" 5 5"), 400},
      {"a length with a fraction", length(" 5.0"), 400},
      {"no length", length(""), 400},
      {"a length past 64 bits", length(" 18446744073709551621"), 400},
      {"a length over the limit", length(" 67108865"), 413},
      {"encoding twice",
       post + host +
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
           "\r\n\r\n0\r\n\r\n",
       400},
      {"encoding gzip, chunked", encoding(" gzip, chunked"), 400},
      {"encoding chunked, identity", encoding(" chunked, identity"), 400},
      {"encoding identity", encoding(" identity"), 400},
      {"encoding xchunked", encoding(" xchunked"), 400},
      {"encoding quoted", encoding(" \"chunked\""), 400},
      {"encoding with a vertical tab",
       encoding(" \x0b"
                "chunked"),
       400},
      {"encoding with a space before its colon",
       post + host + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"folded line", get + host + "X: a\r\n b\r\n\r\n", 400},
      {"folded first line", get + " Host: a\r\n\r\n", 400},
      {"folded with a tab", get + host + "X: a\r\n\tb\r\n\r\n", 400},
      {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare LF after a header", get + "Host: a\n\r\n", 400},
      {"bare LF at the end", get + "Host: a\r\n\n", 400},
      {"bare LFs only", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare CR in a value", get + host + "X: a\rb\r\n\r\n", 400},
      {"NUL in a value", get + host + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"NUL in a name", get + host + std::string("X\0: a\r\n\r\n", 9), 400},
      {"DEL in a value", get + host + "X: \x7f\r\n\r\n", 400},
      {"space in a name", get + host + "X Y: a\r\n\r\n", 400},
      {"no name", get + host + ": a\r\n\r\n", 400},
      {"no colon", get + host + "X\r\n\r\n", 400},
      {"brackets in a name", get + host + "X[1]: a\r\n\r\n", 400},
      {"no host", get + "\r\n", 400},
      {"two hosts", get + host + host + "\r\n", 400},
      {"empty host", get + "Host:\r\n\r\n", 400},
      {"host with a path", get + "Host: a/b\r\n\r\n", 400},
      {"host with userinfo", get + "Host: a@b\r\n\r\n", 400},
      {"host with quotes", get + "Host: \"a\"\r\n\r\n", 400},
      {"host with a long port", get + "Host: a:123456\r\n\r\n", 400},
      {"host with an empty port", get + "Host: a:\r\n\r\n", 400},
      {"host v6 unclosed", get + "Host: [::1\r\n\r\n", 400},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no version", "GET /\r\nHost: a\r\n\r\n", 400},
      {"absolute target", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"authority target", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment in the target", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"control in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"raw bytes in the target", "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method of no known kind", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"method in brackets", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"version too long", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 12), 400},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"long request line", "GET /" + std::string(8200, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"endless request line", std::string(9000, 'a'), 414},
      {"endless header line", get + host + "X: " + std::string(33000, 'a'), 431},
      {"101 header lines", many + "\r\n", 431},
      {"36 KiB of headers", large + "\r\n", 431},
      {"expecting something else", post + host + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n",
       417},
      {"chunk size empty", chunked + "\r\nhello", 400},
      {"chunk size not hex", chunked + "g\r\nhello", 400},
      {"chunk size signed", chunked + "+5\r\nhello", 400},
      {"chunk size negative", chunked + "-5\r\nhello", 400},
      {"chunk size 0x", chunked + "0x5\r\nhello", 400},
      {"chunk size with a space first", chunked + " 5\r\nhello", 400},
      {"chunk size with a space after", chunked + "5 \r\nhello", 400},
      {"chunk size wraps", chunked + "10000000000000005\r\nhello", 400},
      {"chunk size as large as it gets", chunked + "ffffffffffffffff\r\nhello", 413},
      {"chunk size over the limit", chunked + "4000001\r\nhello", 413},
      {"chunk size ends with LF", chunked + "5\nhello\r\n", 400},
      {"chunk extension too long", chunked + "5;" + std::string(300, 'a') + "\r\n", 400},
      {"chunk extension with a control", chunked + "5;\x01\r\nhello\r\n0\r\n\r\n", 400},
      {"chunk shorter than its data", chunked + "4\r\nhello\r\n", 400},
      {"chunk ends with LF", chunked + "5\r\nhello\n0\r\n\r\n", 400},
      {"trailer folded", chunked + "0\r\nX: a\r\n b\r\n\r\n", 400},
      {"trailer without a colon", chunked + "0\r\nX\r\n\r\n", 400},
      {"trailer ends with LF", chunked + "0\r\nX: a\n\r\n", 400},
  };
}

TEST(Framing, RefusesWhatIsAmbiguous) {
  std::atomic<int> handled{0};
  EventLoop loop(
      listen_on("127.0.0.1", 0, true), {},
      [&](Request&) -> Answer {
        ++handled;
        return Reply{};
      },
      [](int status, const std::string& message) { return error_reply(status, message); },
      [](size_t) {});
  const auto cases = malformed();
  ASSERT_GE(cases.size(), 40u);
  for (const Case& one : cases) {
    Client client(loop.port());
    client.send(one.request + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto response = client.read();
    EXPECT_EQ(response.status, one.status) << one.name;
    if (response.status == 0) continue;
    EXPECT_EQ(response.headers.at("connection"), "close") << one.name;
    EXPECT_TRUE(response.json()["error"]["message"].is_string()) << one.name;
    client.half_close();
    EXPECT_TRUE(client.closed()) << one.name;
  }
  EXPECT_EQ(handled, 0);
}

std::optional<size_t> scan_bytewise(std::string_view text) {
  const FramingLimits limits;
  HeadScanner scanner(limits);
  for (size_t i = 1; i <= text.size(); ++i) {
    if (const auto length = scanner.scan(text.substr(0, i))) return length;
  }
  return std::nullopt;
}

TEST(Framing, FindsTheEndOfAHeadThatComesByteByByte) {
  const std::string head = "\r\nGET /a?b=c HTTP/1.1\r\nHost: [::1]:80\r\nX:  y z \t\r\n\r\n";
  EXPECT_EQ(scan_bytewise(head + "rest"), head.size());
  const Head parsed = parse_head(head, {});
  EXPECT_EQ(parsed.method, "GET");
  EXPECT_EQ(parsed.target, "/a?b=c");
  EXPECT_EQ(find_header(parsed.headers, "x"), "y z");
  EXPECT_TRUE(parsed.keep_alive);
  EXPECT_FALSE(parsed.has_body());
}

TEST(Framing, ReadsConnectionClose) {
  EXPECT_FALSE(
      parse_head("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", {}).keep_alive);
  EXPECT_FALSE(parse_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {}).keep_alive);
}

TEST(Framing, DecodesChunksHoweverTheyAreCut) {
  const std::string text = "5;a=b\r\nhello\r\n00A\r\n world, it\r\n0\r\nX: y\r\n\r\n";
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    const FramingLimits limits;
    ChunkDecoder decoder(limits);
    std::string body;
    for (size_t at = 0; at < text.size(); at += cut) {
      auto piece = std::string_view(text).substr(at, cut);
      for (auto got = decoder.next(piece); !got.empty(); got = decoder.next(piece)) body += got;
      EXPECT_TRUE(piece.empty());
    }
    EXPECT_TRUE(decoder.done());
    EXPECT_EQ(body, "hello world, it");
  }
}

TEST(Framing, LeavesWhatFollowsTheChunks) {
  const FramingLimits limits;
  ChunkDecoder decoder(limits);
  std::string_view text = "0\r\n\r\nGET /";
  EXPECT_TRUE(decoder.next(text).empty());
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(text, "GET /");
}

}  // namespace
}  // namespace reel::http
