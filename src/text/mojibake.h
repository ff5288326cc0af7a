#pragma once

#include <string>

namespace reel::text {

/// Repairs UTF-8 that was read in a wrong code page ("schÃ¶n" for "schön"), where ftfy 6.3's
/// fix_encoding would; other text comes back as it is.
std::u32string repair_encoding(std::u32string text);

}  // namespace reel::text
