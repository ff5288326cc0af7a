#include "reel/base/ids.h"

#include <sys/random.h>

#include <array>
#include <cstring>

#include "reel/base/error.h"

namespace reel {
namespace {

template <class T>
T from_entropy() {
  // The system is asked for as much as it gives at once: every request needs an id.
  thread_local std::array<uint8_t, 256> pool;
  thread_local size_t left = 0;
  if (left < sizeof(T)) {
    if (getrandom(pool.data(), pool.size(), 0) != static_cast<ssize_t>(pool.size())) {
      throw Error(ErrorCode::Internal, "getrandom: the system gave no entropy");
    }
    left = pool.size();
  }
  T value;
  left -= sizeof(T);
  std::memcpy(&value, pool.data() + left, sizeof(T));
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
