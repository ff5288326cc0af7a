#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reel {

/// `prefix` and 128 random bits in hex: "video_6f1c…". Not guessable.
std::string random_id(std::string_view prefix);

/// A number from the system's entropy, for seeds that nobody chose; in [0, 2^32).
uint32_t random_seed();

}  // namespace reel
