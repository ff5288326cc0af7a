#include "badness.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <span>
#include <vector>

#include "fixes.h"
#include "mojibake_tables.h"

namespace reel::text {
namespace {

// Further classes, which are not in the table.
constexpr uint32_t kSmallLetter = 1 << 19;  // a-z
constexpr uint32_t kLetter = 1 << 20;       // A-Z, a-z
constexpr uint32_t kNoLetter = 1 << 21;     // anything else
constexpr uint32_t kSpace = 1 << 22;        // Python's \s
constexpr uint32_t kWord = 1 << 23;         // Python's \w
constexpr uint32_t kNoNewline = 1 << 24;

/// What may stand at one place: any of these classes or characters.
struct Place {
  uint32_t classes;
  std::u32string_view chars = {};
};

using Rule = std::span<const Place>;

constexpr uint32_t kAccented = kLowerAccented | kUpperAccented;
constexpr uint32_t kPunctuation = kStartPunctuation | kEndPunctuation;
constexpr uint32_t kSymbol = kPunctuation | kCurrency | kNumeric | kLaw;
constexpr uint32_t kOddities = kC1 | kBad | kPunctuation | kCurrency;

constexpr uint32_t kNearBad = kAccented | kBox | kSymbol;
constexpr Place kArabicLead{0, U"\u00D8\u00D9"};
constexpr Place kArabicNext{kCommon | kCurrency | kBad | kNumeric | kStartPunctuation,
                            U"\u0178\u0160\u00AE\u00B0\u00B5\u00BB"};
constexpr Place kATildeOrCircumflex{0, U"\u00C3\u00C2"};
constexpr Place kCyrillicLead{0, U"\u0412\u0413\u0420\u0421"};
constexpr Place kGreekLead{0, U"\u0392\u0393\u039E\u039F"};
constexpr Place kBlank{0, U" "};

// Unlikely neighbours by class.
constexpr Place kR01[] = {{kC1}};
constexpr Place kR02[] = {{kNearBad | kBad}, {kBad}};
constexpr Place kR03[] = {{kLetter}, {kLowerCommon | kUpperCommon}, {kBad}};
constexpr Place kR04[] = {{kBad}, {kNearBad}};
constexpr Place kR05[] = {
    {kLowerAccented | kLowerCommon | kBox | kEndPunctuation | kCurrency | kNumeric},
    {kUpperAccented}};
constexpr Place kR06[] = {{kBox | kEndPunctuation | kCurrency | kNumeric}, {kLowerAccented}};
constexpr Place kR07[] = {{kLowerAccented | kBox | kEndPunctuation}, {kCurrency}};
constexpr Place kR08[] = {{kSpace}, {kUpperAccented}, {kCurrency}};
constexpr Place kR09[] = {{kUpperAccented | kBox}, {kNumeric | kLaw}};
constexpr Place kR10[] = {
    {kAccented | kBox | kCurrency | kEndPunctuation}, {kStartPunctuation}, {kNumeric}};
constexpr Place kR11[] = {
    {kAccented | kCurrency | kNumeric | kBox | kLaw}, {kEndPunctuation}, {kStartPunctuation}};
constexpr Place kR12[] = {{kCurrency | kNumeric | kBox}, {kStartPunctuation}};
constexpr Place kR13[] = {{kSmallLetter}, {kUpperAccented}, {kStartPunctuation | kCurrency}};
constexpr Place kR14[] = {{kBox}, {kKaomoji}};
constexpr Place kR15[] = {{kAccented | kSymbol}, {kBox}};
constexpr Place kR16[] = {{kBox}, {kEndPunctuation}};
constexpr Place kR17[] = {{kAccented}, {kPunctuation}, {kWord}};
constexpr Place kR18[] = {{0, U"\u0152\u0153"}, {kNoLetter}};
constexpr Place kR19[] = {{kUpperAccented}, {0, U"\u00B0"}};
// Windows-1252, also of Arabic and of South Asian scripts.
constexpr Place kR20[] = {{0, U"\u00C2\u00C3\u00CE\u00D0"},
                          {kPunctuation,
                           U"\u20AC\u0153\u0160\u0161\u00A2\u00A3\u0178\u017E\u00A0\u00AD\u00AE"
                           U"\u00A9\u00B0\u00B7\u00BB\u2013\u2014\u00B4"}};
constexpr Place kR21[] = {{0, U"\u00D7"}, {0, U"\u00B2\u00B3"}};
constexpr Place kR22[] = {kArabicLead, kArabicNext, kArabicLead, kArabicNext};
constexpr Place kR23[] = {{0, U"\u00E0"}, {0, U"\u00B2\u00B5\u00B9\u00BC\u00BD\u00BE"}};
// MacRoman.
constexpr Place kR24[] = {
    {0, U"\u221A"},
    {0, U"\u00B1\u2202\u2020\u2260\u00AE\u2122\u00B4\u2264\u2265\u00A5\u00B5\u00F8"}};
constexpr Place kR25[] = {{0, U"\u2248"}, {0, U"\u00B0\u00A2"}};
constexpr Place kR26[] = {
    {0, U"\u201A"},
    {0, U"\u00C4"},
    {0, U"\u00EC\u00EE\u00EF\u00F2\u00F4\u00FA\u00F9\u00FB\u2020\u00B0\u00A2\u03C0"}};
constexpr Place kR27[] = {{0, U"\u201A"}, {0, U"\u00E2\u00F3"}, {0, U"\u00E0\u00E4\u00B0\u00EA"}};
// Windows-1251, once and on top of Windows-1252.
constexpr Place kR28[] = {{0, U"\u0432"}, {0, U"\u0402"}};
constexpr Place kR29[] = {kCyrillicLead, {kOddities, U"\u00B0\u00B5"}, kCyrillicLead};
constexpr Place kR30[] = {{0, U"\u0413"}, {0, U"\u045E"}, {0, U"\u0412"}, {0, U"\u0402"},
                          {0, U"\u0412"}, {kNoNewline},   {kLetter, U" "}};
// "à", "á" and the no-break space in Windows-1252, with the space made an ordinary one.
constexpr Place kR31[] = {{0, U"\u00C3"}, {0, U"\u00A0\u00A1"}};
constexpr Place kR32[] = {{kSmallLetter}, kATildeOrCircumflex, kBlank};
constexpr Place kR33[] = {{kSmallLetter}, {kSpace}, kATildeOrCircumflex, kBlank};
constexpr Place kR34[] = {
    {kSmallLetter | kEndPunctuation, U".,?!"}, {0, U"\u00C2"}, {kPunctuation, U" "}};
// Windows-1253 and Windows-1257.
constexpr Place kR35[] = {
    {0, U"\u03B2"}, {0, U"\u20AC"}, {0, U"\u2122\u00A0\u0386\u00AD\u00AE\u00B0"}};
constexpr Place kR36[] = {kGreekLead, {kOddities, U"\u00B0"}, kGreekLead};
constexpr Place kR37[] = {{0, U"\u0101"}, {0, U"\u20AC"}};

constexpr Rule kRules[] = {kR01, kR02, kR03, kR04, kR05, kR06, kR07, kR08, kR09, kR10,
                           kR11, kR12, kR13, kR14, kR15, kR16, kR17, kR18, kR19, kR20,
                           kR21, kR22, kR23, kR24, kR25, kR26, kR27, kR28, kR29, kR30,
                           kR31, kR32, kR33, kR34, kR35, kR36, kR37};
// Only where the text begins.
constexpr Place kAtTheBeginning[] = {kATildeOrCircumflex, kBlank};

uint32_t all_classes_of(char32_t c) {
  const bool small = c >= 'a' && c <= 'z';
  const bool letter = small || (c >= 'A' && c <= 'Z');
  const auto code = static_cast<UChar32>(c);
  const bool word = u_isalpha(code) || c == '_' || u_getNumericValue(code) != U_NO_NUMERIC_VALUE;
  return classes_of(c) | (small ? kSmallLetter : 0) | (letter ? kLetter : kNoLetter) |
         (is_python_space(c) ? kSpace : 0) | (word ? kWord : 0) | (c != '\n' ? kNoNewline : 0);
}

bool fits(const Place& place, char32_t c, uint32_t classes) {
  return (place.classes & classes) != 0 || place.chars.find(c) != std::u32string_view::npos;
}

}  // namespace

uint32_t classes_of(char32_t c) {
  if (c > 0xFFFF) return 0;
  const auto found =
      std::lower_bound(kClassRanges.begin(), kClassRanges.end(), c,
                       [](const ClassRange& range, char32_t code) { return range.last < code; });
  return found != kClassRanges.end() && found->first <= c ? found->classes : 0;
}

bool looks_misread(std::u32string_view text) {
  // Every rule has a character beyond ASCII in its first three places.
  const auto plain = [&](size_t at) { return at >= text.size() || text[at] < 0x80; };
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; })) return false;
  std::vector<uint32_t> classes(text.size());
  std::transform(text.begin(), text.end(), classes.begin(), all_classes_of);

  const auto matches = [&](Rule rule, size_t at) {
    if (text.size() - at < rule.size()) return false;
    for (size_t i = 0; i < rule.size(); ++i) {
      if (!fits(rule[i], text[at + i], classes[at + i])) return false;
    }
    return true;
  };
  if (matches(kAtTheBeginning, 0)) return true;
  for (size_t at = 0; at < text.size(); ++at) {
    if (plain(at) && plain(at + 1) && plain(at + 2)) continue;
    for (const Rule& rule : kRules) {
      if (matches(rule, at)) return true;
    }
  }
  return false;
}

}  // namespace reel::text
