#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "added_tokens.h"
#include "normalizer.h"
#include "unigram.h"

namespace reel::text {

/// A tokenizer as its files state it.
struct TokenizerParts {
  TokenizerParts(std::vector<AddedToken> tokens, Normalizer normalizer, Splitter splitter,
                 Unigram model);

  /// The id of an added token or a piece. Throws Error(BadModel) if there is none.
  int32_t id_of(const std::string& content) const;

  Normalizer normalize;
  Splitter split;
  Unigram model;
  std::vector<AddedToken> tokens;
  AddedTokens raw;                      // found in the text as it is
  AddedTokens normalized;               // found in the normalized text
  std::vector<int32_t> before, behind;  // the ids that frame every text
  int32_t pad_id = 0, eos_id = 0;
};

/// A special token's text by tokenizer_config.json (`manners`, an object): "pad_token",
/// "eos_token".
std::string special_token(const nlohmann::json& manners, const char* key, const char* otherwise);

/// Throw Error(BadModel) without naming the file.
TokenizerParts read_tokenizer_json(const std::string& bytes);
TokenizerParts read_spiece(const std::string& bytes, const nlohmann::json& manners);

}  // namespace reel::text
