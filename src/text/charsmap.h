#pragma once

#include <unicode/brkiter.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace reel::text {

/// SentencePiece's compiled table of characters and what they become: a double-array trie (4 bytes
/// length, then little-endian units) whose values point into texts that end in NUL.
class Charsmap {
 public:
  /// Throws Error(BadModel) if the bytes are no such table.
  explicit Charsmap(std::string_view bytes);

  /// Grapheme by grapheme, as the `tokenizers` library applies it: a grapheme of up to 5 bytes is
  /// replaced whole if it only begins with a key; of others each character is looked up.
  std::string normalize(std::string_view text) const;

 private:
  /// Appends what the shortest key at the beginning of `text` becomes; false if there is none.
  bool replace(std::string_view text, std::string& out) const;
  void normalize_grapheme(std::string_view grapheme, std::string& out) const;

  std::vector<uint32_t> units_;
  std::string texts_;
  std::unique_ptr<const icu::BreakIterator> graphemes_;  // cloned for each text
};

}  // namespace reel::text
