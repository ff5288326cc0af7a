#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "reel/base/error.h"

namespace reel {

/// The bytes of a file. Throws Error(`fault`) for what cannot be read, is no file (a pipe is not
/// waited for) or has more than `most` bytes.
std::string read_file(const std::filesystem::path& path, uintmax_t most, ErrorCode fault);

}  // namespace reel
