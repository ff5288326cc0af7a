#include "reel/base/file_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace reel {

Error file_error(std::string_view doing, const std::filesystem::path& path, int cause) {
  const bool full = cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
  return Error(full ? ErrorCode::StorageFull : ErrorCode::Internal,
               fmt::format("{}: cannot {}: {}", path.string(), doing,
                           std::error_code(cause, std::generic_category()).message()));
}

}  // namespace reel
