#include "added_tokens.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>

#include "utf8.h"

namespace reel::text {
namespace {

Trie trie_of(const std::vector<std::string>& contents) {
  std::vector<Trie::Key> keys;
  for (const std::string& content : contents) {
    keys.emplace_back(content, static_cast<int32_t>(keys.size()));
  }
  return Trie(std::move(keys));
}

UChar32 char_after(std::string_view text, size_t at) {
  char32_t code = 0;
  if (at < text.size()) decode_char(text, at, code);
  return static_cast<UChar32>(code);
}

size_t begin_of_char_before(std::string_view text, size_t at) {
  do {
    --at;
  } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

/// What \w is in Unicode's own definition.
bool is_word(UChar32 c) {
  const uint32_t kinds = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return u_isUAlphabetic(c) || (U_GET_GC_MASK(c) & kinds) != 0 ||
         u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL);
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& contents)
    : tokens_(std::move(tokens)), trie_(trie_of(contents)) {}

std::vector<Stretch> AddedTokens::find(std::string_view text) const {
  std::vector<Stretch> out;
  size_t done = 0;
  const auto add = [&](size_t begin, size_t end, int32_t id) {
    if (begin < end) out.push_back({begin, end, id});
    done = end;
  };
  for (size_t at = 0; at < text.size();) {
    size_t length = 0;
    const AddedToken* token = nullptr;
    trie_.prefixes(text, at, [&](size_t size, int32_t place) {
      length = size;
      token = &tokens_[static_cast<size_t>(place)];
    });
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + length;
    at = end;
    if (token->single_word) {
      const bool glued_before =
          begin > 0 && is_word(char_after(text, begin_of_char_before(text, begin)));
      const bool glued_behind = end < text.size() && is_word(char_after(text, end));
      if (glued_before || glued_behind) continue;
    }
    while (token->lstrip && begin > done) {
      const size_t before = begin_of_char_before(text, begin);
      if (!u_isUWhiteSpace(char_after(text, before))) break;
      begin = before;
    }
    while (token->rstrip && end < text.size() && u_isUWhiteSpace(char_after(text, end))) {
      char32_t code = 0;
      end += std::max<size_t>(decode_char(text, end, code), 1);
    }
    add(done, std::max(begin, done), Trie::kNone);
    add(std::max(begin, done), end, token->id);
  }
  add(done, text.size(), Trie::kNone);
  return out;
}

}  // namespace reel::text
