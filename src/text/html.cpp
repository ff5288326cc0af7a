#include "html.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "named_references.h"

namespace reel::text {
namespace {

constexpr auto npos = std::u32string_view::npos;

struct NamedReference {
  std::string_view name;  // without "&" and ";"
  bool bare;              // needs no ";"
  std::u32string meaning;
};

std::vector<NamedReference> parse_references() {
  std::vector<NamedReference> out;
  for (std::string_view rest = kNamedReferences; !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find(' '));
    rest.remove_prefix(item.size() + 1);
    const size_t mark = item.find_first_of(";,");
    NamedReference reference{item.substr(0, mark), item[mark] == ',', {}};
    const char* const end = item.data() + item.size();
    for (const char* at = item.data() + mark + 1; at < end;) {
      uint32_t code = 0;
      at = std::from_chars(at, end, code, 16).ptr + 1;
      reference.meaning += static_cast<char32_t>(code);
    }
    out.push_back(std::move(reference));
  }
  return out;
}

const NamedReference* find_reference(std::string_view name) {
  static const std::vector<NamedReference> references = parse_references();
  const auto found = std::lower_bound(
      references.begin(), references.end(), name,
      [](const NamedReference& reference, std::string_view key) { return reference.name < key; });
  return found != references.end() && found->name == name ? &*found : nullptr;
}

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char32_t c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

template <class Test>
size_t run(std::u32string_view text, size_t at, Test&& test) {
  size_t end = at;
  while (end < text.size() && test(text[end])) ++end;
  return end - at;
}

/// ASCII as bytes; stops before anything else.
std::string ascii_prefix(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) {
    if (c >= 0x80) break;
    out += static_cast<char>(c);
  }
  return out;
}

/// What a number stands for: HTML5 reads some as Windows-1252 and drops what is no character.
std::u32string meaning_of(uint32_t number) {
  // clang-format off
  constexpr char16_t kC1[32] = {
      0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021,
      0x2C6, 0x2030, 0x160, 0x2039, 0x152, 0x8D, 0x17D, 0x8F,
      0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
      0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E, 0x178};
  // clang-format on
  if (number == 0 || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000)) return U"\uFFFD";
  if (number >= 0x80 && number < 0xA0) return {char32_t{kC1[number - 0x80]}};
  const bool control =
      (number < 0x20 && number != '\t' && number != '\n' && number != '\f' && number != '\r') ||
      number == 0x7F;
  const bool none = (number >= 0xFDD0 && number < 0xFDF0) || (number & 0xFFFE) == 0xFFFE;
  if (control || none) return {};
  return {static_cast<char32_t>(number)};
}

struct Match {
  size_t length;  // of the text that is replaced, from "&" on
  std::u32string meaning;
};

/// "&#38;", "&#x26": the semicolon is optional.
std::optional<Match> match_number(std::u32string_view text, size_t at) {
  size_t digits = at + 2;
  const bool hex = digits < text.size() && (text[digits] == 'x' || text[digits] == 'X');
  if (hex) ++digits;
  const size_t count = hex ? run(text, digits, is_hex) : run(text, digits, is_digit);
  if (count == 0) return std::nullopt;
  uint32_t number = 0;
  for (const char32_t c : text.substr(digits, count)) {
    const uint32_t digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    number = std::min<uint32_t>(number * (hex ? 16 : 10) + digit, 0x110000);
  }
  const size_t end = digits + count;
  const bool closed = end < text.size() && text[end] == ';';
  return Match{end + (closed ? 1 : 0) - at, meaning_of(number)};
}

/// "&eacute;", "&eacute", and the longest known beginning of "&notit;".
std::optional<Match> match_name(std::u32string_view text, size_t at) {
  constexpr size_t kLongest = 32;
  const auto stops = [](char32_t c) {
    return c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' || c == '#' ||
           c == ';';
  };
  const auto window = text.substr(at + 1, kLongest);
  const size_t length = run(window, 0, [&](char32_t c) { return !stops(c); });
  const bool closed = at + 1 + length < text.size() && text[at + 1 + length] == ';';
  const std::string name = ascii_prefix(window.substr(0, length));
  if (closed && name.size() == length) {
    if (const auto* found = find_reference(name)) return Match{length + 2, found->meaning};
  }
  for (size_t size = name.size(); size >= 2; --size) {
    const auto* found = find_reference(std::string_view(name).substr(0, size));
    if (found && found->bare) return Match{1 + size, found->meaning};
  }
  return std::nullopt;
}

std::optional<Match> match_any(std::u32string_view text, size_t at) {
  const bool number = at + 1 < text.size() && text[at + 1] == '#';
  return number ? match_number(text, at) : match_name(text, at);
}

/// "&NTILDE;": the upper case of what a name in small letters means, if HTML5 sees nothing in it.
std::optional<std::u32string> match_capitals(const std::string& name) {
  std::string small = name;
  for (char& c : small) {
    if (c >= 'a' && c <= 'z') return std::nullopt;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  const auto* found = find_reference(small);
  if (!found) return std::nullopt;
  const std::u32string whole = U"&" + std::u32string(name.begin(), name.end()) + U";";
  if (match_any(whole, 0)) return std::nullopt;
  const auto& meaning = found->meaning;
  auto upper = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(meaning.data()),
                                             static_cast<int32_t>(meaning.size()));
  upper.toUpper(icu::Locale::getRoot());
  std::u32string out;
  for (int32_t i = 0; i < upper.length(); i = upper.moveIndex32(i, 1)) {
    out += static_cast<char32_t>(upper.char32At(i));
  }
  return out;
}

/// "&", perhaps "#", 1 to 24 ASCII letters and digits, ";".
std::optional<Match> match_cautiously(std::u32string_view text, size_t at) {
  const bool number = at + 1 < text.size() && text[at + 1] == '#';
  const size_t begin = at + (number ? 2 : 1);
  const size_t length = run(text, begin, [](char32_t c) { return is_digit(c) || is_letter(c); });
  const size_t end = begin + length;
  if (length < 1 || length > 24 || end >= text.size() || text[end] != ';') return std::nullopt;
  const size_t whole = end + 1 - at;
  if (number) {
    auto match = match_number(text, at);
    if (!match || match->length != whole || match->meaning == U";") return std::nullopt;
    return match;
  }
  const std::string name = ascii_prefix(text.substr(begin, length));
  if (const auto* found = find_reference(name)) return Match{whole, found->meaning};
  if (auto meaning = match_capitals(name)) return Match{whole, *std::move(meaning)};
  return std::nullopt;
}

template <class Matcher>
std::u32string replace_references(std::u32string_view text, Matcher&& matcher) {
  std::u32string out;
  size_t done = 0;
  for (size_t at = text.find('&'); at != npos;) {
    if (const auto match = matcher(text, at)) {
      out += text.substr(done, at - done);
      out += match->meaning;
      done = at + match->length;
      at = text.find('&', done);
    } else {
      at = text.find('&', at + 1);
    }
  }
  out += text.substr(done);
  return out;
}

}  // namespace

std::u32string unescape_html(std::u32string_view text) {
  return replace_references(text, match_any);
}

std::u32string unescape_html_cautiously(std::u32string_view text) {
  return replace_references(text, match_cautiously);
}

}  // namespace reel::text
