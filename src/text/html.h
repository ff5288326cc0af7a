#pragma once

#include <string>
#include <string_view>

namespace reel::text {

/// Replaces character references by the rules of HTML5, as Python's html.unescape does.
std::u32string unescape_html(std::u32string_view text);

/// Replaces only those that end in a semicolon, and knows more names in capitals (&NTILDE;): the
/// cautious way of ftfy.
std::u32string unescape_html_cautiously(std::u32string_view text);

}  // namespace reel::text
