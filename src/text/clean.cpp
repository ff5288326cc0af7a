#include "reel/text/clean.h"

#include <algorithm>

#include "fixes.h"
#include "html.h"
#include "mojibake.h"
#include "utf8.h"

namespace reel::text {
namespace {

/// Nested references, "&amp;amp;…", come undone one a pass; nobody nests this deep in good faith.
constexpr int kMostPasses = 64;
/// In characters: what ftfy fixes at once.
constexpr size_t kLongestSegment = 1'000'000;

std::u32string fix_segment(std::u32string text, bool unescape) {
  for (int pass = 0; pass < kMostPasses; ++pass) {
    std::u32string fixed = unescape ? unescape_html_cautiously(text) : text;
    fixed = compose(remove_unseen(simplify_characters(repair_encoding(std::move(fixed)))));
    if (fixed == text) break;
    text = std::move(fixed);
  }
  return text;
}

/// ftfy.fix_text: line by line. From the first line with "<" on the text is taken for HTML, whose
/// references stay.
std::u32string fix_text(std::u32string_view text) {
  std::u32string out;
  bool unescape = true;
  while (!text.empty()) {
    const size_t newline = text.find(U'\n');
    const size_t line = newline == text.npos ? text.size() : newline + 1;
    const size_t length = std::min(line, kLongestSegment);
    const auto segment = text.substr(0, length);
    if (segment.find(U'<') != segment.npos) unescape = false;
    out += fix_segment(std::u32string(segment), unescape);
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string clean_prompt(std::string_view utf8) {
  const std::u32string fixed = fix_text(decode_utf8(utf8));
  return encode_utf8(join_spaces(unescape_html(unescape_html(fixed))));
}

}  // namespace reel::text
