#include "reel/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "reel/base/error.h"
#include "reel/base/model_file.h"
#include "tokenizer_parts.h"
#include "utf8.h"

namespace reel::text {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kMaxBytes = 1 << 30;

/// Calls `read` and puts the file's name before what it throws.
template <class Read>
auto naming(const fs::path& path, Read&& read) {
  try {
    return read();
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: {}", path.string(), json_fault(error.what())));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", path.string(), error.what()));
  }
}

std::vector<AddedToken> with(bool normalized, const std::vector<AddedToken>& tokens) {
  std::vector<AddedToken> out;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(out),
               [&](const AddedToken& token) { return token.normalized == normalized; });
  return out;
}

AddedTokens lookup(std::vector<AddedToken> tokens, const Normalizer& normalize) {
  std::vector<std::string> contents;
  for (const AddedToken& token : tokens) contents.push_back(normalize(token.content));
  return AddedTokens(std::move(tokens), contents);
}

TokenizerParts read_parts(const fs::path& folder) {
  const fs::path json = folder / "tokenizer.json", spiece = folder / "spiece.model";
  const fs::path config = folder / "tokenizer_config.json";
  const auto manners = naming(config, [&] {
    if (!fs::exists(config)) return nlohmann::json::object();
    const std::string text = read_model_file(config, kMaxBytes);
    require_shallow_json(text);
    auto object = nlohmann::json::parse(text);
    if (!object.is_object()) throw Error(ErrorCode::BadModel, "expected a JSON object");
    return object;
  });
  const fs::path& used = fs::exists(json) ? json : spiece;
  return naming(used, [&] {
    const std::string bytes = read_model_file(used, kMaxBytes);
    TokenizerParts parts =
        &used == &json ? read_tokenizer_json(bytes) : read_spiece(bytes, manners);
    parts.pad_id = parts.id_of(special_token(manners, "pad_token", "<pad>"));
    parts.eos_id = parts.id_of(special_token(manners, "eos_token", "</s>"));
    return parts;
  });
}

bool is_tokenizer(const fs::path& folder) {
  return fs::exists(folder / "tokenizer.json") || fs::exists(folder / "spiece.model");
}

}  // namespace

TokenizerParts::TokenizerParts(std::vector<AddedToken> added, Normalizer normalizer,
                               Splitter splitter, Unigram unigram)
    : normalize(std::move(normalizer)),
      split(std::move(splitter)),
      model(std::move(unigram)),
      tokens(std::move(added)),
      raw(lookup(with(false, tokens), [](std::string text) { return text; })),
      normalized(lookup(with(true, tokens), normalize)) {}

int32_t TokenizerParts::id_of(const std::string& content) const {
  const auto token = std::find_if(tokens.begin(), tokens.end(),
                                  [&](const AddedToken& t) { return t.content == content; });
  const int32_t id = token != tokens.end() ? token->id : model.id_of(content);
  if (id == Trie::kNone) {
    throw Error(ErrorCode::BadModel, fmt::format("expected a token '{}', found none", content));
  }
  return id;
}

std::string special_token(const nlohmann::json& manners, const char* key, const char* otherwise) {
  const auto token = manners.find(key);
  if (token == manners.end() || token->is_null()) return otherwise;
  return token->is_object() ? token->at("content") : *token;
}

Tokenizer::Tokenizer(const fs::path& folder) {
  const fs::path inner = folder / "tokenizer";
  if (!is_tokenizer(folder) && !is_tokenizer(inner)) {
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: expected tokenizer.json or spiece.model, here or in tokenizer/, "
                            "found neither",
                            folder.string()));
  }
  parts_ =
      std::make_unique<const TokenizerParts>(read_parts(is_tokenizer(folder) ? folder : inner));
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<int32_t> Tokenizer::encode(std::string_view cleaned, int max_length) const {
  require_utf8(cleaned);
  const TokenizerParts& parts = *parts_;
  const auto frame = static_cast<std::ptrdiff_t>(parts.before.size() + parts.behind.size());
  require(max_length >= frame,
          fmt::format("max_length: expected {} or more tokens, got {}", frame, max_length));
  std::vector<int32_t> ids = parts.before;
  for (const Stretch& stretch : parts.raw.find(cleaned)) {
    if (stretch.id != Trie::kNone) {
      ids.push_back(stretch.id);
      continue;
    }
    const std::string text =
        parts.normalize(std::string(cleaned.substr(stretch.begin, stretch.end - stretch.begin)));
    for (const Stretch& inner : parts.normalized.find(text)) {
      if (inner.id != Trie::kNone) {
        ids.push_back(inner.id);
        continue;
      }
      const bool first = stretch.begin == 0 && inner.begin == 0;
      for (const Part& part :
           parts.split({text.substr(inner.begin, inner.end - inner.begin), first})) {
        parts.model.encode(part.text, ids);
      }
    }
  }
  ids.resize(std::min(ids.size(), static_cast<size_t>(max_length) - parts.behind.size()));
  ids.insert(ids.end(), parts.behind.begin(), parts.behind.end());
  return ids;
}

int32_t Tokenizer::pad_id() const { return parts_->pad_id; }

int32_t Tokenizer::eos_id() const { return parts_->eos_id; }

int32_t Tokenizer::vocabulary_size() const {
  auto size = static_cast<int32_t>(parts_->model.size());
  for (const AddedToken& token : parts_->tokens) size = std::max(size, token.id + 1);
  return size;
}

}  // namespace reel::text
