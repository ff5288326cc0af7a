#include "fixes.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "mojibake_tables.h"
#include "reel/base/error.h"

namespace reel::text {
namespace {

icu::UnicodeString to_icu(std::u32string_view text) {
  return icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                       static_cast<int32_t>(text.size()));
}

void append(std::u32string& out, const icu::UnicodeString& text) {
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    out += static_cast<char32_t>(text.char32At(i));
  }
}

icu::UnicodeString normalized(const icu::Normalizer2* (*form)(UErrorCode&),
                              const icu::UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = form(status);
  icu::UnicodeString out = U_SUCCESS(status) ? normalizer->normalize(text, status) : text;
  if (U_FAILURE(status)) {
    throw Error(ErrorCode::Internal, std::string("ICU: normalization: ") + u_errorName(status));
  }
  return out;
}

/// Ligatures and digraphs, and the Latin letters they are made of; sorted.
constexpr std::pair<char32_t, std::u32string_view> kLigatures[] = {
    {0x132, U"IJ"},       {0x133, U"ij"},      {0x149, U"\u02BCn"}, {0x1C4, U"D\u017D"},
    {0x1C5, U"D\u017E"},  {0x1C6, U"d\u017E"}, {0x1C7, U"LJ"},      {0x1C8, U"Lj"},
    {0x1C9, U"lj"},       {0x1CA, U"NJ"},      {0x1CB, U"Nj"},      {0x1CC, U"nj"},
    {0x1F1, U"DZ"},       {0x1F2, U"Dz"},      {0x1F3, U"dz"},      {0xFB00, U"ff"},
    {0xFB01, U"fi"},      {0xFB02, U"fl"},     {0xFB03, U"ffi"},    {0xFB04, U"ffl"},
    {0xFB05, U"\u017Ft"}, {0xFB06, U"st"}};

/// Empty for what is no ligature.
std::u32string_view parts_of(char32_t c) {
  const auto* const found =
      std::lower_bound(std::begin(kLigatures), std::end(kLigatures), c,
                       [](const auto& ligature, char32_t code) { return ligature.first < code; });
  return found != std::end(kLigatures) && found->first == c ? found->second : U"";
}

bool is_removed(char32_t c) {
  const bool control = c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r';
  return control || c == 0x7F || (c >= 0x206A && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFC);
}

char32_t plain(char32_t c) {
  if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) return '\'';
  if (c >= 0x201C && c <= 0x201F) return '"';
  if (c == '\r' || c == 0x2028 || c == 0x2029) return '\n';
  return c;
}

std::u32string usual_width(char32_t c) {
  if (c == 0x3000) return U" ";
  std::u32string out;
  append(out, normalized(icu::Normalizer2::getNFKCInstance, icu::UnicodeString(UChar32(c))));
  return out;
}

}  // namespace

bool is_python_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::u32string simplify_characters(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  const auto add = [&](std::u32string_view part) {
    for (const char32_t c : part) out += plain(c);
  };
  for (size_t at = 0; at < text.size(); ++at) {
    char32_t c = text[at];
    if (c >= 0x80 && c < 0xA0) c = kUpperHalves[kWindows1252][c - 0x80];
    if (c == '\r' && at + 1 < text.size() && text[at + 1] == '\n') continue;
    if (const auto parts = parts_of(c); !parts.empty()) {
      add(parts);
    } else if (c == 0x3000 || (c > 0xFF00 && c < 0xFFF0)) {
      add(usual_width(c));
    } else {
      out += plain(c);
    }
  }
  return out;
}

std::u32string remove_unseen(std::u32string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == 0x1B && at + 1 < text.size() && text[at + 1] == '[') {
      size_t end = at + 2;
      while (end < text.size() &&
             (text[end] == ';' || u_isdigit(static_cast<UChar32>(text[end])))) {
        ++end;
      }
      if (end < text.size() && text[end] < 0x80 && u_isalpha(static_cast<UChar32>(text[end]))) {
        at = end;
        continue;
      }
    }
    if (!is_removed(text[at])) out += text[at];
  }
  return out;
}

std::u32string compose(std::u32string_view text) {
  // Nothing below U+0300 composes or has another form.
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x300; })) {
    return std::u32string(text);
  }
  std::u32string out;
  out.reserve(text.size());
  append(out, normalized(icu::Normalizer2::getNFCInstance, to_icu(text)));
  return out;
}

std::u32string join_spaces(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (!is_python_space(c)) {
      out += c;
    } else if (!out.empty() && out.back() != U' ') {
      out += U' ';
    }
  }
  if (!out.empty() && out.back() == U' ') out.pop_back();
  return out;
}

}  // namespace reel::text
