#include "mojibake.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "badness.h"
#include "mojibake_tables.h"
#include "utf8.h"

namespace reel::text {
namespace {

using Byte = unsigned char;

/// Stands for U+FFFD, a byte that was lost, in the Windows pages.
constexpr char kLost = '\x1A';

bool is_windows(int page) { return page >= kWindows1252 && page <= kWindows1257; }

struct Encoder {
  struct Entry {
    char16_t code;
    Byte byte;
  };

  explicit Encoder(int page) : windows(is_windows(page)) {
    for (size_t i = 0; i < entries.size(); ++i) {
      entries[i] = {kUpperHalves[static_cast<size_t>(page)][i], static_cast<Byte>(0x80 + i)};
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.code < b.code; });
  }

  std::optional<char> encode(char32_t c) const {
    if (windows && c == U'\uFFFD') return kLost;
    if (windows && c == kLost) return std::nullopt;
    if (c < 0x80) return static_cast<char>(c);
    const auto found =
        std::lower_bound(entries.begin(), entries.end(), c,
                         [](const Entry& entry, char32_t code) { return entry.code < code; });
    if (found == entries.end() || found->code != c) return std::nullopt;
    return static_cast<char>(found->byte);
  }

  std::array<Entry, 128> entries;
  bool windows;
};

std::optional<std::string> encode(std::u32string_view text, int page) {
  const Encoder encoder(page);
  std::string out;
  for (const char32_t c : text) {
    const auto byte = encoder.encode(c);
    if (!byte) return std::nullopt;
    out += *byte;
  }
  return out;
}

/// Bytes that may be asked for behind the end: 0 there, which is in none of the ranges below.
struct Bytes {
  std::string_view text;
  Byte operator[](size_t at) const { return at < text.size() ? static_cast<Byte>(text[at]) : 0; }
};

bool in(Byte b, int first, int last) { return b >= first && b <= last; }
bool continues(Byte b) { return in(b, 0x80, 0xBF); }

/// The length of a sequence at `at` that would be likely UTF-8 if its space were byte A0; or 0.
size_t spaced_sequence(const Bytes& bytes, size_t at) {
  const Byte a = bytes[at], b = bytes[at + 1], c = bytes[at + 2], d = bytes[at + 3];
  const auto likely = [](Byte x) { return continues(x) && x != 0x85 && x != 0xA0; };
  const bool two = a == 0xC2 || a == 0xC3 || a == 0xC5 || a == 0xCE || a == 0xD0 || a == 0xD9;
  if (two && b == ' ') return 2;
  if ((a == 0xE2 || a == 0xE3) && b == ' ' && likely(c)) return 3;
  if (in(a, 0xE0, 0xE3) && likely(b) && c == ' ') return 3;
  if (a == 0xF0) {
    const int spaces = (b == ' ') + (c == ' ') + (d == ' ');
    const int rest = continues(b) + continues(c) + continues(d);
    if (spaces == 1 && rest == 2) return 4;
  }
  return 0;
}

/// "Ã la carte": C3 and a space is mostly the word "à", not the beginning of the next one.
std::string separate_a_grave(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    out += text[at];
    if (static_cast<Byte>(text[at]) != 0xC3 || at + 1 >= text.size() || text[at + 1] != ' ') {
      continue;
    }
    const std::string_view next = text.substr(at + 2);
    const bool glued = next.starts_with(' ') || next.starts_with("quele") ||
                       next.starts_with("quela") || next.starts_with("quilo") ||
                       next.starts_with("s ");
    if (!glued) out += '\xA0';
  }
  return out;
}

bool has_spaced_sequence(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (spaced_sequence({text}, at)) return true;
  }
  return false;
}

std::string restore_a0(std::string_view text) {
  std::string out = separate_a_grave(text);
  for (size_t at = 0; at < out.size();) {
    const size_t length = spaced_sequence({out}, at);
    for (size_t i = at; i < at + length; ++i) {
      if (out[i] == ' ') out[i] = '\xA0';
    }
    at += std::max<size_t>(length, 1);
  }
  return out;
}

/// The length of a UTF-8 sequence at `at` some of whose bytes were lost (now "?", once, or kLost);
/// or 0.
size_t lossy_sequence(const Bytes& bytes, size_t at) {
  const Byte a = bytes[at], b = bytes[at + 1], c = bytes[at + 2], d = bytes[at + 3];
  const auto lost = [](Byte x) { return x == kLost || x == '?'; };
  const auto open = [](Byte x) { return x == kLost || continues(x); };
  if (in(a, 0xC2, 0xDF) && b == kLost) return 2;
  if (in(a, 0xC2, 0xC3) && b == '?') return 2;
  if (a == 0xED && in(b, 0xA0, 0xAF) && d == 0xED && in(bytes[at + 4], 0xB0, 0xBF)) {
    const Byte f = bytes[at + 5];
    const auto any = [&](Byte x) { return lost(x) || continues(x); };
    if ((lost(c) && any(f)) || (any(c) && lost(f))) return 6;
  }
  if (in(a, 0xE0, 0xEF) && ((lost(b) && open(c)) || (open(b) && lost(c)))) return 3;
  if (in(a, 0xF0, 0xF4) && ((lost(b) && open(c) && open(d)) || (open(b) && lost(c) && open(d)) ||
                            (open(b) && open(c) && lost(d)))) {
    return 4;
  }
  return a == kLost ? 1 : 0;
}

std::string replace_lossy(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = lossy_sequence({text}, at);
    if (length == 0) {
      out += text[at++];
    } else {
      out += "\xEF\xBF\xBD";
      at += length;
    }
  }
  return out;
}

/// The length of what only Java or CESU-8 writes at `at`, or 0. A newline at the very end may stand
/// for the last byte, as it may in ftfy, whose patterns end in "$".
size_t decode_variant(const Bytes& bytes, size_t at, char32_t& code) {
  const size_t left = bytes.text.size() - at;
  const Byte a = bytes[at], b = bytes[at + 1], c = bytes[at + 2];
  const auto ends = [&](size_t length, Byte last) { return left == length && last == '\n'; };
  if (a == 0xC0 && (b == 0x80 || ends(2, b))) {
    code = 0;
    return 2;
  }
  if (a != 0xED || left < 6) return 0;
  const Byte d = bytes[at + 3], e = bytes[at + 4], f = bytes[at + 5];
  const bool pair = in(b, 0xA0, 0xAF) && continues(c) && d == 0xED && in(e, 0xB0, 0xBF);
  if (!pair || !(continues(f) || ends(6, f))) return 0;
  code = 0x10000u + ((b & 0x0Fu) << 16) + ((c & 0x3Fu) << 10) + ((e & 0x0Fu) << 6) + (f & 0x3Fu);
  return 6;
}

std::optional<std::u32string> decode(std::string_view bytes) {
  std::u32string out;
  for (size_t at = 0; at < bytes.size();) {
    char32_t code = 0;
    size_t length = decode_char(bytes, at, code);
    if (length == 0) length = decode_variant({bytes}, at, code);
    if (length == 0) return std::nullopt;
    out += code;
    at += length;
  }
  return out;
}

/// The length of what looks like UTF-8 in a wrong page at `at`: as many characters as fit; or 0.
size_t embedded_sequence(std::u32string_view text, size_t at) {
  const auto classes = [&](size_t i) { return i < text.size() ? classes_of(text[i]) : 0; };
  if (at > 0 && (classes(at - 1) & kContinuationStrict)) return 0;
  size_t end = at;
  for (;;) {
    size_t tail = 0;
    while (tail < 3 && (classes(end + 1 + tail) & kContinuation)) ++tail;
    const uint32_t lead = classes(end);
    if ((lead & kFirstOfTwo) && tail >= 1) {
      end += 2;
    } else if ((lead & kFirstOfThree) && tail >= 2) {
      end += 3;
    } else if ((lead & kFirstOfFour) && tail >= 3) {
      end += 4;
    } else {
      return end - at;
    }
  }
}

std::u32string repair_parts(std::u32string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = text[at] < 0x80 ? 0 : embedded_sequence(text, at);
    std::u32string part(text.substr(at, std::max<size_t>(length, 1)));
    at += part.size();
    const bool embedded = length > 0 && length < text.size() && looks_misread(part);
    out += embedded ? repair_encoding(std::move(part)) : part;
  }
  return out;
}

/// Latin-1 taken for what it mostly is. `strict`: nothing if a character means nothing there.
std::optional<std::u32string> as_windows(std::u32string text, bool strict) {
  for (char32_t& c : text) {
    if (c < 0x80 || c >= 0xA0) continue;
    const char32_t meant = kUpperHalves[kWindows1252][c - 0x80];
    if (strict && meant == c) return std::nullopt;
    c = meant;
  }
  return text;
}

std::u32string repair_once(const std::u32string& text) {
  if (!looks_misread(text)) return text;
  bool latin1 = false;
  for (int page = 0; page < kCodePages; ++page) {
    auto bytes = encode(text, page);
    if (!bytes) continue;
    latin1 |= page == kLatin1;
    // In MacRoman it would take an en dash and a space for such a sequence.
    if (page != kMacRoman && has_spaced_sequence(*bytes)) bytes = restore_a0(*bytes);
    if (is_windows(page)) bytes = replace_lossy(*bytes);
    if (auto fixed = decode(*bytes)) return *std::move(fixed);
  }
  if (auto fixed = repair_parts(text); fixed != text) return fixed;
  if (latin1) {
    if (auto fixed = as_windows(text, true); fixed && *fixed != text) return *std::move(fixed);
  }
  return *as_windows(text, false);
}

}  // namespace

std::u32string repair_encoding(std::u32string text) {
  for (;;) {
    std::u32string fixed = repair_once(text);
    if (fixed == text) return text;
    text = std::move(fixed);
  }
}

}  // namespace reel::text
