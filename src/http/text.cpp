#include "text.h"

#include <fmt/chrono.h>

#include <ctime>

namespace reel::http {

std::string http_date(int64_t second) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::time_t{second}));
}

}  // namespace reel::http
