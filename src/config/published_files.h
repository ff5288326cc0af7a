#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace reel::config {

/// Name and text of every file in configs/models, as the build found them.
std::span<const std::pair<std::string_view, std::string_view>> published_files();

}  // namespace reel::config
