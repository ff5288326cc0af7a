#include <fmt/format.h>

#include <bit>

#include "reel/base/error.h"
#include "tokenizer_parts.h"

namespace reel::text {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::BadModel, what); }

/// Walks over the fields of one protobuf message.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  /// Goes to the next field; false at the end.
  bool next() {
    if (rest_.empty()) return false;
    const uint64_t key = read_varint();
    field = key >> 3;
    switch (key & 7) {
      case 0:
        number = read_varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        bytes = take(read_varint());
        break;
      case 5:
        bytes = take(4);
        break;
      default:
        refuse(fmt::format("no SentencePiece model: field of type {}", key & 7));
    }
    return true;
  }

  float as_float() const {
    uint32_t bits = 0;
    for (size_t i = 0; i < bytes.size() && i < 4; ++i) {
      bits |= uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return std::bit_cast<float>(bits);
  }

  uint64_t field = 0;
  uint64_t number = 0;     // of an integer field
  std::string_view bytes;  // of a text, a message, a float

 private:
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) refuse("no SentencePiece model: it ends inside a field");
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  uint64_t read_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    refuse("no SentencePiece model: an integer has no end");
  }

  std::string_view rest_;
};

/// What is used of sentencepiece_model.proto; the numbers are those of its fields.
struct Model {
  enum Type { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4 };

  explicit Model(std::string_view bytes) {
    for (Message model(bytes); model.next();) {
      if (model.field == 1) add_piece(model.bytes);
      if (model.field == 2) read_trainer(model.bytes);
      if (model.field == 3) read_normalizer(model.bytes);
    }
    if (pieces.empty()) refuse("no SentencePiece model: it has no pieces");
  }

  void add_piece(std::string_view bytes) {
    Piece piece{{}, 0};
    uint64_t type = kNormal;
    for (Message field(bytes); field.next();) {
      if (field.field == 1) piece.text = field.bytes;
      if (field.field == 2) piece.score = field.as_float();
      if (field.field == 3) type = field.number;
    }
    if (type == kUnknown || type == kControl || type == kUserDefined) {
      special.push_back({.content = piece.text, .id = static_cast<int32_t>(pieces.size())});
    }
    pieces.push_back(std::move(piece));
  }

  void read_trainer(std::string_view bytes) {
    for (Message field(bytes); field.next();) {
      if (field.field == 3 && field.number != 1) refuse("expected a unigram model");
      if (field.field == 40) unknown_id = static_cast<int32_t>(field.number);
    }
  }

  void read_normalizer(std::string_view bytes) {
    for (Message field(bytes); field.next();) {
      if (field.field == 2) charsmap = field.bytes;
    }
  }

  std::vector<Piece> pieces;
  std::vector<AddedToken> special;
  std::string charsmap;
  int32_t unknown_id = 0;
};

bool is_extra_id(const std::string& token) { return token.starts_with("<extra_id_"); }

/// `<extra_id_N>` come behind the model's pieces, the highest first.
int64_t count_extra_ids(const nlohmann::json& manners) {
  if (const auto count = manners.find("extra_ids"); count != manners.end()) {
    const auto extra = count->get<int64_t>();
    if (extra < 0 || extra > 100'000)
      refuse(fmt::format("extra_ids: expected a count, got {}", extra));
    return extra;
  }
  int64_t listed = 0;
  for (const auto& token : manners.value("additional_special_tokens", nlohmann::json::array())) {
    listed += token.is_string() && is_extra_id(token.get<std::string>());
  }
  constexpr int64_t kT5Default = 100;
  return listed > 0 ? listed : kT5Default;
}

/// The flags that tokenizer_config.json gives to a token.
void read_flags(const nlohmann::json& manners, AddedToken& token) {
  for (const auto& flags : manners.value("added_tokens_decoder", nlohmann::json::object())) {
    if (flags.at("content") != token.content) continue;
    token.single_word = flags.value("single_word", false);
    token.lstrip = flags.value("lstrip", false);
    token.rstrip = flags.value("rstrip", false);
    token.normalized = flags.value("normalized", false);
  }
}

Normalizer normalizer_of(const Model& model) {
  std::vector<Normalizer> steps;
  if (!model.charsmap.empty()) steps.push_back(precompiled(model.charsmap));
  steps.push_back(strip(/*left=*/false, /*right=*/true));
  steps.push_back(replace_regex(" {2,}", "\u2581"));
  return in_sequence(std::move(steps));
}

}  // namespace

TokenizerParts read_spiece(const std::string& bytes, const nlohmann::json& manners) {
  Model model(bytes);
  for (int64_t i = count_extra_ids(manners) - 1; i >= 0; --i) {
    const std::string content = fmt::format("<extra_id_{}>", i);
    model.special.push_back({.content = content, .id = static_cast<int32_t>(model.pieces.size())});
    model.pieces.push_back({content, 0});
  }
  for (AddedToken& token : model.special) read_flags(manners, token);
  const bool legacy = manners.value("legacy", true);
  TokenizerParts parts(
      model.special, normalizer_of(model),
      metaspace("\u2581", legacy ? PrependScheme::Always : PrependScheme::First, true),
      Unigram(model.pieces, model.unknown_id, /*byte_fallback=*/false));
  parts.behind = {parts.id_of(special_token(manners, "eos_token", "</s>"))};
  return parts;
}

}  // namespace reel::text
