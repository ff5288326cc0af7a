#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace reel {

/// Whether there is such a file or folder. Throws Error(BadModel) where that cannot be told:
/// without permission, or in a loop of links.
bool is_there(const std::filesystem::path& path);

/// The bytes of a file in a model's folder. Throws Error(BadModel) for what cannot be read, is no
/// file (a pipe is not waited for) or has more than `most` bytes.
std::string read_model_file(const std::filesystem::path& path, uintmax_t most);

/// Throws Error(BadModel) for JSON that is nested deeper than any model's: to walk it would take as
/// deep a stack.
void require_shallow_json(std::string_view text);

/// What nlohmann's exception says, without its number, and short whatever the text was.
std::string json_fault(std::string_view what);

}  // namespace reel
