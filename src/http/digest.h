#pragma once

#include <string>
#include <string_view>

namespace reel::http {

std::string encode_base64(std::string_view bytes);

/// SHA-256, in hex.
std::string sha256(std::string_view bytes);

}  // namespace reel::http
