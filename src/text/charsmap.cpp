#include "charsmap.h"

#include <unicode/utext.h>

#include <algorithm>
#include <optional>

#include "reel/base/error.h"
#include "utf8.h"

namespace reel::text {
namespace {

uint32_t little_endian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return value;
}

void check(UErrorCode status) {
  if (U_FAILURE(status)) {
    throw Error(ErrorCode::Internal, std::string("ICU: graphemes: ") + u_errorName(status));
  }
}

// One unit of the double array, as the Darts-clone library packs it.
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }
bool has_leaf(uint32_t unit) { return (unit >> 8) & 1; }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }

}  // namespace

Charsmap::Charsmap(std::string_view bytes) {
  const size_t size = bytes.size() < 4 ? 0 : little_endian(bytes, 0);
  if (size == 0 || size % 4 != 0 || size > bytes.size() - 4) {
    throw Error(ErrorCode::BadModel, "precompiled_charsmap: its length does not fit its trie");
  }
  for (size_t at = 4; at < 4 + size; at += 4) units_.push_back(little_endian(bytes, at));
  texts_ = bytes.substr(4 + size);
  UErrorCode status = U_ZERO_ERROR;
  graphemes_.reset(icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), status));
  check(status);
}

bool Charsmap::replace(std::string_view text, std::string& out) const {
  // Every index is looked at, so that a broken table cannot lead out of the array.
  const auto unit_at = [&](size_t index) {
    return index < units_.size() ? std::optional(units_[index]) : std::nullopt;
  };
  size_t node = offset_of(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    node ^= byte;
    const auto unit = unit_at(node);
    if (byte == 0 || !unit || label_of(*unit) != byte) return false;
    node ^= offset_of(*unit);
    if (!has_leaf(*unit)) continue;
    const auto leaf = unit_at(node);
    if (!leaf || value_of(*leaf) >= texts_.size()) return false;
    const size_t begin = value_of(*leaf);
    out.append(texts_, begin, std::min(texts_.find('\0', begin), texts_.size()) - begin);
    return true;
  }
  return false;
}

void Charsmap::normalize_grapheme(std::string_view grapheme, std::string& out) const {
  if (grapheme.size() < 6 && replace(grapheme, out)) return;
  for (size_t at = 0; at < grapheme.size();) {
    char32_t code = 0;
    const auto character =
        grapheme.substr(at, std::max<size_t>(decode_char(grapheme, at, code), 1));
    if (!replace(character, out)) out += character;
    at += character.size();
  }
}

std::string Charsmap::normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UText, decltype(&utext_close)> source(
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status),
      utext_close);
  check(status);
  const std::unique_ptr<icu::BreakIterator> breaks(graphemes_->clone());
  breaks->setText(source.get(), status);
  check(status);
  for (int32_t begin = 0, end = breaks->next(); end != icu::BreakIterator::DONE;
       begin = end, end = breaks->next()) {
    normalize_grapheme(text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
                       out);
  }
  return out;
}

}  // namespace reel::text
