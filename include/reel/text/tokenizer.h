#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace reel::text {

struct TokenizerParts;

/// The T5/UMT5 tokenizer: what `tokenizer.json` states, or, without that file, what the converter
/// of transformers 4 would have written for `spiece.model` (a unigram model without byte pieces:
/// an unknown character becomes one <unk>). Immutable; safe from any thread.
class Tokenizer {
 public:
  /// `folder` holds the files itself, or in a folder `tokenizer`.
  /// Throws Error(BadModel) naming the file that is missing, broken, or not understood.
  explicit Tokenizer(const std::filesystem::path& folder);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// At most `max_length` ids, the end of sequence among them however long the text is; not padded.
  /// Throws Error(InvalidArgument) if the text is not UTF-8, or `max_length` has no room for the
  /// ids that frame every text.
  std::vector<int32_t> encode(std::string_view cleaned, int max_length) const;

  int32_t pad_id() const;
  int32_t eos_id() const;

  /// One more than the highest id.
  int32_t vocabulary_size() const;

 private:
  std::unique_ptr<const TokenizerParts> parts_;
};

}  // namespace reel::text
