#pragma once

#include <cstdint>
#include <string_view>

namespace reel::text {

/// The CharClass bits of a character; 0 for most.
uint32_t classes_of(char32_t c);

/// Whether characters meet that hardly meet but in UTF-8 that was read in a wrong code page: the
/// rules of ftfy 6.3's `badness`.
bool looks_misread(std::u32string_view text);

}  // namespace reel::text
