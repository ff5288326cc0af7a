#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trie.h"

namespace reel::text {

/// A token that is recognised inside a text before the model sees it: "</s>".
struct AddedToken {
  std::string content;
  int32_t id;
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and behind it
  bool normalized = false;   // looked for in the normalized text
};

/// A stretch of text; one without a token is the model's.
struct Stretch {
  size_t begin, end;
  int32_t id;  // of an added token, or Trie::kNone
};

class AddedTokens {
 public:
  /// `contents[i]` is what is looked for in place of `tokens[i]`.
  AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& contents);

  /// Cuts the text at the tokens in it: of those that begin first, the longest.
  std::vector<Stretch> find(std::string_view text) const;

 private:
  std::vector<AddedToken> tokens_;
  Trie trie_;  // to places in tokens_
};

}  // namespace reel::text
