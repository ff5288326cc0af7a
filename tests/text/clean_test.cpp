#include "reel/text/clean.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "fixes.h"
#include "hard_text.h"
#include "html.h"
#include "mojibake.h"
#include "reel/base/error.h"
#include "utf8.h"

namespace reel::text {
namespace {

TEST(CleanPrompt, EqualsDiffusersOnHardText) {
  for (const char* golden : {"clean-hard", "tokenizer-hard"}) {
    for (const auto& one : test::cases(golden)) {
      const std::string text = one.at("text");
      EXPECT_EQ(clean_prompt(text), one.at("cleaned")) << text;
    }
  }
}

TEST(CleanPrompt, LeavesPlainTextAlone) {
  for (const std::string text : {"", "a red fox, 4K", "赤い狐が走る。", "naïve café – 100 €"}) {
    EXPECT_EQ(clean_prompt(text), text);
  }
}

using Step = std::function<std::u32string(std::u32string)>;

/// How many texts of one line and without tags come out wrong when `fixes` are all of ftfy's.
int count_wrong(const std::vector<Step>& fixes) {
  int wrong = 0;
  for (const auto& one : test::cases("clean-hard")) {
    std::u32string text = decode_utf8(one.at("text").get<std::string>());
    if (text.find_first_of(U"\n<") != text.npos) continue;
    for (std::u32string before = text + U" "; before != text;) {
      before = text;
      for (const Step& fix : fixes) text = fix(std::move(text));
    }
    text = join_spaces(unescape_html(unescape_html(text)));
    wrong += encode_utf8(text) != one.at("cleaned").get<std::string>();
  }
  return wrong;
}

TEST(CleanPrompt, GoldenSeesEachStepThatIsLeftOut) {
  const std::vector<Step> steps = {unescape_html_cautiously, repair_encoding, simplify_characters,
                                   remove_unseen, compose};
  EXPECT_EQ(count_wrong(steps), 0);
  for (size_t i = 0; i < steps.size(); ++i) {
    auto fewer = steps;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_GT(count_wrong(fewer), 0) << "without step " << i;
  }
}

TEST(CleanPrompt, NamesTheByteThatIsNotUtf8) {
  const std::pair<std::string, int> cases[] = {
      {"\xFF", 0},         {"ab\x80", 2},        {"caf\xC3", 3},
      {"\xED\xA0\x80", 0}, {"x\xC0\x80", 1},     {"\xF4\x90\x80\x80", 0},
      {"\xE0\x80\x80", 0}, {"\xC3\xA9\xC3(", 2}, {"\xF0\x9F\xA6", 0}};
  for (const auto& [text, byte] : cases) {
    try {
      clean_prompt(text);
      ADD_FAILURE() << "accepted bytes that are not UTF-8";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      EXPECT_EQ(error.param(), "prompt");
      EXPECT_THAT(error.what(), testing::EndsWith("not UTF-8 at byte " + std::to_string(byte)));
    }
  }
}

TEST(CleanPrompt, KeepsReferencesFromTheFirstTagOn) {
  // ftfy leaves those of the second line alone; the two replacements behind it see both lines.
  EXPECT_EQ(clean_prompt("&amp;amp;amp;amp;\n&amp;amp;amp;amp;<b>"), "& &amp;amp;<b>");
}

TEST(CleanPrompt, AnswersAnyBytes) {
  std::mt19937 random(1);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 12, ' ');
    // Half of it bytes that make text, so that not all is refused.
    for (char& c : text) c = static_cast<char>(random() % 2 ? random() % 0x80 : random() % 0x100);
    try {
      const std::string cleaned = clean_prompt(text);
      require_utf8(cleaned);
      ++accepted;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::InvalidArgument);
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST(CleanPrompt, TakesAMegabyteOfAnything) {
  constexpr size_t kSize = 1 << 20;
  for (const std::string part : {" ", "<", "amp;", "&eacute;", "é Ã© ", "e\u0301", "狐"}) {
    std::string text = "&";
    while (text.size() < kSize) text += part;
    EXPECT_LE(clean_prompt(text).size(), 2 * kSize) << part;
  }
}

}  // namespace
}  // namespace reel::text
