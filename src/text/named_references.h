#pragma once

#include <string_view>

namespace reel::text {

/// The named character references of HTML5, sorted, apart by spaces: a name, then ";" or, if the
/// name is also known without a semicolon, ",", then its code points in hex, joined by "+".
extern const std::string_view kNamedReferences;

}  // namespace reel::text
