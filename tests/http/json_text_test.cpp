#include "json_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace reel::http {
namespace {

using nlohmann::json;

TEST(JsonText, IsWhatTheTreeWouldBe) {
  JsonText text;
  json tree;
  const auto put = [&](const char* key, const auto& value) {
    text.put(key, value);
    tree[key] = value;
  };
  put("plain", "a b");
  put("empty", std::string());
  put("quoted", R"(a "b" \ c)");
  put("control", std::string("\n\t\x01\x7f"));
  put("unicode", "Füchse 狐 🦊");
  put("true", true);
  put("false", false);
  put("int", -7);
  put("large", std::numeric_limits<uint64_t>::max());
  put("double", 0.1);
  put("tiny", 1e-300);
  put("whole", 2.0);
  put("null", nullptr);
  put("list", json{1, "b", nullptr});
  text.put("some", std::optional(3.5));
  tree["some"] = 3.5;
  text.put("none", std::optional<int>());
  text.put("infinite", std::numeric_limits<double>::infinity());
  tree["none"] = tree["infinite"] = nullptr;
  text.put_text("text", R"([{"a":1}])");
  tree["text"] = json::array({{{"a", 1}}});
  EXPECT_EQ(json::parse(std::move(text).take()), tree);
}

TEST(JsonText, MayBeEmpty) { EXPECT_EQ(JsonText().take(), "{}"); }

TEST(JsonText, ReplacesWhatIsNoUtf8) {
  JsonText text;
  text.put("a", std::string("x\xff"
                            "y"));
  EXPECT_EQ(json::parse(std::move(text).take())["a"], "x\uFFFDy");
}

}  // namespace
}  // namespace reel::http
