#include "unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "reel/base/error.h"
#include "utf8.h"

namespace reel::text {
namespace {

Trie trie_of(const std::vector<Piece>& pieces) {
  std::vector<Trie::Key> keys;
  keys.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    keys.emplace_back(piece.text, static_cast<int32_t>(keys.size()));
  }
  return Trie(std::move(keys));
}

/// The best way found so far to cut the text up to a place.
struct Cut {
  double score = 0;
  size_t begin = std::string_view::npos;  // of the last piece
  int32_t id = 0;

  bool reached() const { return begin != std::string_view::npos; }
};

}  // namespace

Unigram::Unigram(const std::vector<Piece>& pieces, int64_t unknown_id, bool byte_fallback)
    : trie_(trie_of(pieces)) {
  const auto count = static_cast<int64_t>(pieces.size());
  if (unknown_id < 0 || unknown_id >= count) {
    throw Error(
        ErrorCode::BadModel,
        fmt::format("unk_id: expected the id of one of {} pieces, got {}", count, unknown_id));
  }
  unknown_id_ = static_cast<int32_t>(unknown_id);
  constexpr double kPenalty = 10;
  for (const Piece& piece : pieces) scores_.push_back(piece.score);
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kPenalty;
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    byte_ids_[byte] = byte_fallback ? trie_.find(fmt::format("<0x{:02X}>", byte)) : Trie::kNone;
  }
}

void Unigram::encode(std::string_view text, std::vector<int32_t>& ids) const {
  std::vector<Cut> cuts(text.size() + 1);
  const auto offer = [&](size_t begin, size_t end, double score, int32_t id) {
    if (!cuts[end].reached() || score > cuts[end].score) cuts[end] = {score, begin, id};
  };
  for (size_t at = 0; at < text.size();) {
    const double score = cuts[at].score;
    char32_t code = 0;
    const size_t character = std::max<size_t>(decode_char(text, at, code), 1);
    bool known = false;
    trie_.prefixes(text, at, [&](size_t length, int32_t id) {
      offer(at, at + length, score + scores_[static_cast<size_t>(id)], id);
      known |= length == character;
    });
    if (!known) offer(at, at + character, score + unknown_score_, unknown_id_);
    at += character;
  }

  std::vector<size_t> ends;
  for (size_t end = text.size(); end > 0; end = cuts[end].begin) ends.push_back(end);
  std::reverse(ends.begin(), ends.end());
  for (size_t i = 0; i < ends.size(); ++i) {
    const Cut& cut = cuts[ends[i]];
    if (cut.id != unknown_id_) {
      ids.push_back(cut.id);
      continue;
    }
    while (i + 1 < ends.size() && cuts[ends[i + 1]].id == unknown_id_) ++i;
    encode_unknown(text.substr(cut.begin, ends[i] - cut.begin), ids);
  }
}

void Unigram::encode_unknown(std::string_view text, std::vector<int32_t>& ids) const {
  // Characters that are unknown one by one may be a piece together.
  if (const int32_t id = trie_.find(text); id != Trie::kNone) {
    ids.push_back(id);
    return;
  }
  const auto id_of_byte = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (std::all_of(text.begin(), text.end(), [&](char b) { return id_of_byte(b) >= 0; })) {
    std::transform(text.begin(), text.end(), std::back_inserter(ids), id_of_byte);
  } else {
    ids.push_back(unknown_id_);
  }
}

}  // namespace reel::text
