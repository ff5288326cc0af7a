#pragma once

#include <map>
#include <string>

namespace reel::media {

/// What is kept inside a file, in UTF-8: prompt, seed, model, … Never a time, so that equal frames
/// give equal bytes. A control character becomes U+FFFD.
using Metadata = std::map<std::string, std::string>;

}  // namespace reel::media
