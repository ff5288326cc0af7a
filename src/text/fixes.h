#pragma once

#include <string>
#include <string_view>

/// The steps of cleaning that look at characters alone.
namespace reel::text {

/// Python's str.isspace for one character, which is also its \s.
bool is_python_space(char32_t c);

/// Plain forms of ligatures, of full and half width, of curly quotes and of line breaks; C1 control
/// characters become what Windows-1252 has in their place.
std::u32string simplify_characters(std::u32string_view text);

/// Leaves out terminal escape sequences and control characters that show nothing.
std::u32string remove_unseen(std::u32string_view text);

/// NFC.
std::u32string compose(std::u32string_view text);

/// Runs of white space become one space; none at the ends.
std::u32string join_spaces(std::u32string_view text);

}  // namespace reel::text
