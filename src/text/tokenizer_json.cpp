#include <fmt/format.h>

#include <array>

#include "reel/base/error.h"
#include "reel/base/model_file.h"
#include "tokenizer_parts.h"

namespace reel::text {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::BadModel, what); }

/// An object or null; `json::at` and `value` of the caller throw what names the key.
std::string type_of(const json& step) { return step.at("type").get<std::string>(); }

std::string from_base64(const std::string& text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) refuse("precompiled_charsmap: expected base64");
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xFF);
    }
  }
  return out;
}

Normalizer read_normalizer(const json& step) {
  if (step.is_null()) return in_sequence(std::vector<Normalizer>{});
  const std::string type = type_of(step);
  if (type == "Sequence") {
    std::vector<Normalizer> steps;
    for (const json& inner : step.at("normalizers")) steps.push_back(read_normalizer(inner));
    return in_sequence(std::move(steps));
  }
  if (type == "Precompiled") {
    return precompiled(from_base64(step.at("precompiled_charsmap").get<std::string>()));
  }
  if (type == "Strip") {
    return strip(step.at("strip_left").get<bool>(), step.at("strip_right").get<bool>());
  }
  if (type == "Replace") {
    const json& pattern = step.at("pattern");
    auto by = step.at("content").get<std::string>();
    if (pattern.contains("String")) return replace_string(pattern.at("String"), std::move(by));
    return replace_regex(pattern.at("Regex").get<std::string>(), std::move(by));
  }
  if (type == "Prepend") return prepend(step.at("prepend").get<std::string>());
  if (type == "Lowercase") return lowercase();
  if (auto form = unicode_form(type)) return form;
  refuse(fmt::format("normalizer: '{}' is not understood", type));
}

PrependScheme read_scheme(const json& step) {
  if (!step.value("add_prefix_space", true)) return PrependScheme::Never;
  const auto scheme = step.value("prepend_scheme", "always");
  if (scheme == "always") return PrependScheme::Always;
  if (scheme == "first") return PrependScheme::First;
  if (scheme == "never") return PrependScheme::Never;
  refuse(fmt::format("prepend_scheme: expected always, first or never, got '{}'", scheme));
}

Splitter read_splitter(const json& step) {
  if (step.is_null()) return in_sequence(std::vector<Splitter>{});
  const std::string type = type_of(step);
  if (type == "Sequence") {
    std::vector<Splitter> steps;
    for (const json& inner : step.at("pretokenizers")) steps.push_back(read_splitter(inner));
    return in_sequence(std::move(steps));
  }
  if (type == "Metaspace") {
    return metaspace(step.at("replacement").get<std::string>(), read_scheme(step),
                     step.value("split", true));
  }
  if (type == "WhitespaceSplit") return whitespace_split();
  refuse(fmt::format("pre_tokenizer: '{}' is not understood", type));
}

Unigram read_model(const json& model) {
  const std::string type = model.value("type", "Unigram");
  if (type != "Unigram") refuse(fmt::format("model: expected Unigram, got '{}'", type));
  std::vector<Piece> pieces;
  for (const json& piece : model.at("vocab")) {
    pieces.push_back({piece.at(0).get<std::string>(), piece.at(1).get<double>()});
  }
  return Unigram(pieces, model.at("unk_id").get<int64_t>(), model.value("byte_fallback", false));
}

std::vector<AddedToken> read_added_tokens(const json& list) {
  std::vector<AddedToken> out;
  for (const json& token : list) {
    out.push_back({.content = token.at("content").get<std::string>(),
                   .id = token.at("id").get<int32_t>(),
                   .single_word = token.value("single_word", false),
                   .lstrip = token.value("lstrip", false),
                   .rstrip = token.value("rstrip", false),
                   .normalized = token.value("normalized", true)});
  }
  return out;
}

/// TemplateProcessing for one text: some special tokens, the text once, some special tokens.
void read_template(const json& processor, TokenizerParts& parts) {
  if (processor.is_null()) return;
  const std::string type = type_of(processor);
  if (type != "TemplateProcessing") {
    refuse(fmt::format("post_processor: '{}' is not understood", type));
  }
  int texts = 0;
  for (const json& part : processor.at("single")) {
    if (part.contains("Sequence")) {
      ++texts;
      continue;
    }
    const auto name = part.at("SpecialToken").at("id").get<std::string>();
    auto& ids = texts == 0 ? parts.before : parts.behind;
    for (const json& id : processor.at("special_tokens").at(name).at("ids")) {
      ids.push_back(id.get<int32_t>());
    }
  }
  if (texts != 1) refuse(fmt::format("post_processor: expected the text once, got {}", texts));
}

}  // namespace

TokenizerParts read_tokenizer_json(const std::string& bytes) {
  try {
    require_shallow_json(bytes);
    const json file = json::parse(bytes);
    TokenizerParts parts(read_added_tokens(file.value("added_tokens", json::array())),
                         read_normalizer(file.value("normalizer", json())),
                         read_splitter(file.value("pre_tokenizer", json())),
                         read_model(file.at("model")));
    read_template(file.value("post_processor", json()), parts);
    return parts;
  } catch (const json::exception& error) {
    refuse(json_fault(error.what()));
  }
}

}  // namespace reel::text
