#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Strings of bytes, and their names for people and the wire.
namespace reel {

std::string encode_base64(std::string_view bytes);

/// Nothing if `text` is not base64 with its padding.
std::optional<std::string> decode_base64(std::string_view text);

std::string encode_hex(std::string_view bytes);

std::string sha256(std::string_view bytes);

/// RFC 2104, with SHA-256.
std::string hmac_sha256(std::string_view key, std::string_view bytes);

/// Whether they are equal, found out in a time that tells only of their lengths.
bool same_secret(std::string_view one, std::string_view other);

}  // namespace reel
