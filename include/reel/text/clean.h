#pragma once

#include <string>
#include <string_view>

namespace reel::text {

/// What Diffusers' Wan pipelines make of a prompt (prompt_clean, with ftfy 6.3 installed): ftfy's
/// fixes with their defaults, HTML references replaced twice, runs of white space made one space.
///
/// Takes and returns UTF-8. Throws Error(InvalidArgument) that names the first wrong byte.
std::string clean_prompt(std::string_view utf8);

}  // namespace reel::text
