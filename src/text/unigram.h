#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trie.h"

namespace reel::text {

struct Piece {
  std::string text;
  double score;  // log-probability
};

/// A unigram language model: cuts a text into the pieces whose scores have the greatest sum, as
/// the `tokenizers` library does.
class Unigram {
 public:
  /// The id of a piece is its place. `byte_fallback`: an unknown text becomes pieces "<0xE2>" where
  /// there are such. Throws Error(BadModel) unless `unknown_id` is a piece's.
  Unigram(const std::vector<Piece>& pieces, int64_t unknown_id, bool byte_fallback);

  /// Appends the ids of `text`; unknown characters that follow each other become one.
  void encode(std::string_view text, std::vector<int32_t>& ids) const;

  /// -1 if no piece is `text`.
  int32_t id_of(std::string_view text) const { return trie_.find(text); }

  size_t size() const { return scores_.size(); }

 private:
  void encode_unknown(std::string_view text, std::vector<int32_t>& ids) const;

  std::vector<double> scores_;
  Trie trie_;
  int32_t unknown_id_;
  double unknown_score_;
  std::array<int32_t, 256> byte_ids_;  // or -1
};

}  // namespace reel::text
