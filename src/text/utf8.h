#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace reel::text {

/// How many bytes the character at `at` has; 0 if that is no UTF-8 (surrogates and longer forms
/// than needed are none). `code` is set when it is.
size_t decode_char(std::string_view text, size_t at, char32_t& code);

/// Throws Error(InvalidArgument) that names the first wrong byte.
std::u32string decode_utf8(std::string_view text);

/// Throws like decode_utf8.
void require_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code);
std::string encode_utf8(std::u32string_view text);

}  // namespace reel::text
