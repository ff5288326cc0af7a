#include "reel/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "reel/base/error.h"

namespace reel {
namespace {

constexpr size_t kSha256 = 32;  // bytes

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* room_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(room_of(text), bytes_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(room_of(bytes), bytes_of(text), static_cast<int>(text.size()));
  const size_t padding = text.size() - (text.find_last_not_of('=') + 1);
  if (length < 0 || padding > 2) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  // OpenSSL forgives spaces around, and anything after a first '='.
  if (encode_base64(bytes) != text) return std::nullopt;
  return bytes;
}

std::string encode_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string sha256(std::string_view bytes) {
  std::string digest(kSha256, '\0');
  if (EVP_Digest(bytes.data(), bytes.size(), room_of(digest), nullptr, EVP_sha256(), nullptr) !=
      1) {
    throw Error(ErrorCode::Internal, "OpenSSL: no SHA-256");
  }
  return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string digest(kSha256, '\0');
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(bytes), bytes.size(),
           room_of(digest), nullptr) == nullptr) {
    throw Error(ErrorCode::Internal, "OpenSSL: no HMAC");
  }
  return digest;
}

bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace reel
