#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace reel::text {

/// The code pages that text is misread in, in the order in which they are tried.
enum CodePage {
  kLatin1,
  kWindows1252,
  kWindows1251,
  kWindows1250,
  kWindows1253,
  kWindows1254,
  kWindows1257,
  kIso8859_2,
  kMacRoman,
  kCp437,
  kCodePages,
};

/// What bytes 0x80 to 0xFF mean; a byte that means nothing is the control character of its number.
extern const std::array<std::array<char16_t, 128>, kCodePages> kUpperHalves;

/// How ftfy 6.3 sorts the characters that occur in misread UTF-8.
enum CharClass : uint32_t {
  kCommon = 1 << 0,
  kC1 = 1 << 1,
  kBad = 1 << 2,
  kLaw = 1 << 3,
  kCurrency = 1 << 4,
  kStartPunctuation = 1 << 5,
  kEndPunctuation = 1 << 6,
  kNumeric = 1 << 7,
  kKaomoji = 1 << 8,
  kUpperAccented = 1 << 9,
  kLowerAccented = 1 << 10,
  kUpperCommon = 1 << 11,
  kLowerCommon = 1 << 12,
  kBox = 1 << 13,
  kFirstOfTwo = 1 << 14,  // stands where UTF-8 has the first of two bytes, …
  kFirstOfThree = 1 << 15,
  kFirstOfFour = 1 << 16,
  kContinuation = 1 << 17,        // … or a continuation byte,
  kContinuationStrict = 1 << 18,  // and does not stand for itself beside mojibake.
};

struct ClassRange {
  char16_t first, last;
  uint32_t classes;  // of CharClass
};

/// Sorted; a character in no range has no class.
extern const std::span<const ClassRange> kClassRanges;

}  // namespace reel::text
