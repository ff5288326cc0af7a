#include "router.h"

#include <gtest/gtest.h>

#include "content.h"

namespace reel::http {
namespace {

TEST(Router, FindsRoutesAndTheirArguments) {
  Router router;
  for (const char* pattern :
       {"/", "/v1/videos", "/v1/videos/{id}", "/v1/videos/{id}/content", "/v1/models/{model*}"}) {
    router.add("GET", pattern, [](Request&) -> Answer { return Reply{}; });
  }
  router.add("DELETE", "/v1/videos/{id}", [](Request&) -> Answer { return Reply{}; });
  EXPECT_EQ(router.match("GET", "/").pattern, "/");
  EXPECT_EQ(router.match("GET", "/v1/videos").pattern, "/v1/videos");
  EXPECT_EQ(router.match("GET", "/v1/videos/").pattern, "/v1/videos");
  EXPECT_EQ(router.match("HEAD", "/v1/videos/x/content").args, std::vector<std::string>{"x"});
  EXPECT_EQ(router.match("GET", "/v1/models/Wan-AI/Wan2.1").args,
            std::vector<std::string>{"Wan-AI/Wan2.1"});
  const auto wrong = router.match("PATCH", "/v1/videos/x");
  EXPECT_EQ(wrong.route, nullptr);
  EXPECT_EQ(wrong.allow, "GET, HEAD, DELETE");
  for (const char* path : {"/v1", "/v1/videos/x/y", "/v1/videos//content", "/v1/videos/x/content/y",
                           "", "v1/videos"}) {
    EXPECT_TRUE(router.match("GET", path).pattern.empty()) << path;
  }
}

TEST(Content, ReadsRanges) {
  struct Case {
    const char* header;
    ByteRange::Kind kind;
    uint64_t offset, length;
  };
  using Kind = ByteRange::Kind;
  for (const Case& one : {
           Case{"bytes=0-0", Kind::Part, 0, 1},
           {"bytes=0-99", Kind::Part, 0, 10},
           {"bytes=3-", Kind::Part, 3, 7},
           {"bytes=-4", Kind::Part, 6, 4},
           {"bytes=-40", Kind::Part, 0, 10},
           {"Bytes = 2 - 3", Kind::Part, 2, 2},
           {"bytes=9-18446744073709551616", Kind::Part, 9, 1},
           {"bytes=10-", Kind::Unsatisfiable, 0, 0},
           {"bytes=-0", Kind::Unsatisfiable, 0, 0},
           {"bytes=18446744073709551616-", Kind::Unsatisfiable, 0, 0},
           {"bytes=0-1,3-4", Kind::Whole, 0, 10},
           {"bytes=5-2", Kind::Whole, 0, 10},
           {"bytes=a-b", Kind::Whole, 0, 10},
           {"bytes=-", Kind::Whole, 0, 10},
           {"bytes=--1", Kind::Whole, 0, 10},
           {"bytes=5", Kind::Whole, 0, 10},
           {"lines=0-1", Kind::Whole, 0, 10},
           {"", Kind::Whole, 0, 10},
       }) {
    const ByteRange range = parse_range(one.header, 10);
    EXPECT_EQ(range.kind, one.kind) << one.header;
    EXPECT_EQ(range.offset, one.offset) << one.header;
    EXPECT_EQ(range.length, one.length) << one.header;
  }
}

}  // namespace
}  // namespace reel::http
