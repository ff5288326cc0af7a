#pragma once

#include <filesystem>
#include <string_view>

#include "reel/base/error.h"

namespace reel {

/// What to throw when the system cannot do what was asked with a file, for the errno `cause`:
/// StorageFull if there is no room, else Internal.
Error file_error(std::string_view doing, const std::filesystem::path& path, int cause);

}  // namespace reel
