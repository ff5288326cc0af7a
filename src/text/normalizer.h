#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// The steps between a text and the pieces that the model cuts, as the `tokenizers` library takes
/// them. All are safe from any thread.
namespace reel::text {

/// Text to text.
using Normalizer = std::function<std::string(std::string)>;

Normalizer in_sequence(std::vector<Normalizer> steps);
/// `charsmap`: see Charsmap.
Normalizer precompiled(std::string_view charsmap);
Normalizer strip(bool left, bool right);
Normalizer prepend(std::string prefix);
Normalizer replace_string(std::string what, std::string by);
/// `pattern` is read by ICU; the library reads it by Oniguruma, which for plain patterns is the
/// same. Throws Error(BadModel) if it is none.
Normalizer replace_regex(std::string_view pattern, std::string by);
Normalizer lowercase();
/// `form`: "NFC", "NFD", "NFKC" or "NFKD"; for others the result is empty.
Normalizer unicode_form(std::string_view form);

struct Part {
  std::string text;
  bool first;  // stands where the whole text begins
};

/// One part to several.
using Splitter = std::function<std::vector<Part>(Part)>;

enum class PrependScheme { Always, First, Never };

Splitter in_sequence(std::vector<Splitter> steps);
/// Spaces become `mark`, one is put before the text, and each begins a new part.
Splitter metaspace(std::string mark, PrependScheme scheme, bool split);
Splitter whitespace_split();

}  // namespace reel::text
