#include "reel/base/ids.h"

#include <sys/random.h>

#include <array>

#include "reel/base/error.h"

namespace reel {
namespace {

template <class T>
T from_entropy() {
  T value;
  if (getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
    throw Error(ErrorCode::Internal, "getrandom: the system gave no entropy");
  }
  return value;
}

}  // namespace

std::string random_id(std::string_view prefix) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id(prefix);
  for (const uint8_t byte : from_entropy<std::array<uint8_t, 16>>()) {
    id += kHex[byte >> 4];
    id += kHex[byte & 15];
  }
  return id;
}

uint32_t random_seed() { return from_entropy<uint32_t>(); }

}  // namespace reel
