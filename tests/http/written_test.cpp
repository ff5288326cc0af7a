#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parser.h"

namespace reel::http {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Written, IsAHeadAndABody) {
  const Reply reply{404, "{}", "application/json", {{"x-request-id", "req_1"}}};
  EXPECT_EQ(written("GET", reply, false).bytes,
            "HTTP/1.1 404 Not Found\r\nKeep-Alive: timeout=300, max=1000000\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\nx-request-id: req_1\r\n\r\n{}");
  EXPECT_THAT(written("GET", reply, true).bytes, HasSubstr("\r\nConnection: close\r\n"));
}

TEST(Written, TellsOfABodyThatItLeavesOut) {
  const auto bytes = written("HEAD", Reply{200, "body", "text/plain", {}}, false).bytes;
  EXPECT_THAT(bytes, HasSubstr("\r\nContent-Length: 4\r\n"));
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n"));
  EXPECT_FALSE(written("HEAD", File{}, false).file);
  EXPECT_TRUE(written("GET", File{}, false).file);
}

TEST(Written, HasNoLengthWhereThereIsNoBodyOrNoEnd) {
  for (const int status : {204, 304}) {
    EXPECT_THAT(written("GET", Reply{status, "", "text/plain", {}}, false).bytes,
                Not(HasSubstr("Content-Length")));
  }
  const auto events = written("GET", Events{}, false);
  EXPECT_THAT(events.bytes, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(events.bytes, HasSubstr("Connection: close"));
  EXPECT_TRUE(events.events);
}

TEST(Written, NoValueBeginsAnotherHeader) {
  const auto bytes =
      written("GET", Reply{200, "", "text/plain", {{"a", "b\r\nEvil: 1"}, {"c", "d"}}}, false)
          .bytes;
  EXPECT_THAT(bytes, Not(HasSubstr("Evil")));
  EXPECT_THAT(bytes, HasSubstr("\r\nc: d\r\n"));
}

}  // namespace
}  // namespace reel::http
