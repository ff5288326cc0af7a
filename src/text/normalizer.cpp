#include "normalizer.h"

#include <fmt/format.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "charsmap.h"
#include "reel/base/error.h"
#include "utf8.h"

namespace reel::text {
namespace {

void check(UErrorCode status, const char* subject) {
  if (U_FAILURE(status)) {
    throw Error(ErrorCode::Internal, fmt::format("ICU: {}: {}", subject, u_errorName(status)));
  }
}

/// The next character from `at`; its length is 1 where the text is no UTF-8.
size_t next_char(std::string_view text, size_t at, char32_t& code) {
  return std::max<size_t>(decode_char(text, at, code), 1);
}

/// The length of white space, by Unicode's property, at the beginning.
size_t leading_space(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    char32_t code = 0;
    const size_t length = next_char(text, at, code);
    if (!u_isUWhiteSpace(static_cast<UChar32>(code))) break;
    at += length;
  }
  return at;
}

/// Where the white space at the end begins.
size_t trailing_space(std::string_view text) {
  size_t end = 0;
  for (size_t at = 0; at < text.size();) {
    char32_t code = 0;
    at += next_char(text, at, code);
    if (!u_isUWhiteSpace(static_cast<UChar32>(code))) end = at;
  }
  return end;
}

}  // namespace

Normalizer in_sequence(std::vector<Normalizer> steps) {
  return [steps = std::move(steps)](std::string text) {
    for (const Normalizer& step : steps) text = step(std::move(text));
    return text;
  };
}

Normalizer precompiled(std::string_view charsmap) {
  return [map = std::make_shared<const Charsmap>(charsmap)](const std::string& text) {
    return map->normalize(text);
  };
}

Normalizer strip(bool left, bool right) {
  return [=](std::string text) {
    if (right) text.resize(trailing_space(text));
    if (left) text.erase(0, leading_space(text));
    return text;
  };
}

Normalizer prepend(std::string prefix) {
  return [prefix = std::move(prefix)](std::string text) {
    return text.empty() ? text : prefix + text;
  };
}

Normalizer replace_string(std::string what, std::string by) {
  return [what = std::move(what), by = std::move(by)](const std::string& text) {
    std::string out;
    size_t done = 0;
    for (size_t at = text.find(what); at != text.npos && !what.empty();
         at = text.find(what, done)) {
      out.append(text, done, at - done).append(by);
      done = at + what.size();
    }
    return out.append(text, done);
  };
}

Normalizer replace_regex(std::string_view pattern, std::string by) {
  UErrorCode status = U_ZERO_ERROR;
  const auto source = icu::UnicodeString::fromUTF8(
      icu::StringPiece(pattern.data(), static_cast<int32_t>(pattern.size())));
  const std::shared_ptr<const icu::RegexPattern> regex(
      icu::RegexPattern::compile(source, 0, status));
  if (U_FAILURE(status)) {
    throw Error(ErrorCode::BadModel,
                fmt::format("Replace: expected a regular expression, got '{}'", pattern));
  }
  return [regex, by = icu::UnicodeString::fromUTF8(by)](const std::string& text) {
    UErrorCode error = U_ZERO_ERROR;
    const auto input = icu::UnicodeString::fromUTF8(text);
    const std::unique_ptr<icu::RegexMatcher> matcher(regex->matcher(input, error));
    check(error, "regular expression");
    matcher->setStackLimit(0, error);  // a run of a million spaces needs more than the default
    icu::UnicodeString out;
    int32_t done = 0;
    while (matcher->find(error)) {
      const int32_t begin = matcher->start(error);
      out.append(input, done, begin - done).append(by);
      done = matcher->end(error);
    }
    check(error, "regular expression");
    out.append(input, done, input.length() - done);
    std::string result;
    return out.toUTF8String(result);
  };
}

Normalizer lowercase() {
  return [](const std::string& text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      char32_t code = 0;
      at += next_char(text, at, code);
      if (code == 0x130) {
        out += "i\u0307";
      } else {
        append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(code))));
      }
    }
    return out;
  };
}

Normalizer unicode_form(std::string_view form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = form == "NFC"    ? icu::Normalizer2::getNFCInstance(status)
                                       : form == "NFD"  ? icu::Normalizer2::getNFDInstance(status)
                                       : form == "NFKC" ? icu::Normalizer2::getNFKCInstance(status)
                                       : form == "NFKD" ? icu::Normalizer2::getNFKDInstance(status)
                                                        : nullptr;
  check(status, "normalization");
  if (!normalizer) return {};
  return [normalizer](const std::string& text) {
    UErrorCode error = U_ZERO_ERROR;
    std::string out;
    icu::StringByteSink<std::string> sink(&out);
    normalizer->normalizeUTF8(0, text, sink, nullptr, error);
    check(error, "normalization");
    return out;
  };
}

Splitter in_sequence(std::vector<Splitter> steps) {
  return [steps = std::move(steps)](Part whole) {
    std::vector<Part> parts{std::move(whole)};
    for (const Splitter& step : steps) {
      std::vector<Part> smaller;
      for (Part& part : parts) {
        auto pieces = step(std::move(part));
        std::move(pieces.begin(), pieces.end(), std::back_inserter(smaller));
      }
      parts = std::move(smaller);
    }
    return parts;
  };
}

Splitter metaspace(std::string mark, PrependScheme scheme, bool split) {
  return [mark, scheme, split, spaces = replace_string(" ", mark)](Part part) {
    std::vector<Part> parts;
    if (part.text.empty()) return parts;
    std::string text = spaces(std::move(part.text));
    const bool wanted =
        scheme == PrependScheme::Always || (scheme == PrependScheme::First && part.first);
    if (wanted && !text.starts_with(mark)) text.insert(0, mark);
    size_t begin = 0;
    while (begin < text.size()) {
      const size_t next = split ? text.find(mark, begin + 1) : text.npos;
      const size_t end = std::min(next, text.size());
      parts.push_back({text.substr(begin, end - begin), part.first && begin == 0});
      begin = end;
    }
    return parts;
  };
}

Splitter whitespace_split() {
  return [](const Part& part) {
    const std::string& text = part.text;
    std::vector<Part> parts;
    size_t begin = 0;
    const auto close = [&](size_t end) {
      if (end > begin) parts.push_back({text.substr(begin, end - begin), part.first && begin == 0});
    };
    for (size_t at = 0; at < text.size();) {
      char32_t code = 0;
      const size_t length = next_char(text, at, code);
      if (u_isUWhiteSpace(static_cast<UChar32>(code))) {
        close(at);
        begin = at + length;
      }
      at += length;
    }
    close(text.size());
    return parts;
  };
}

}  // namespace reel::text
