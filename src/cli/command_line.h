#pragma once

#include <string>
#include <vector>

namespace reel::cli {

/// The words of a command line, and before them the flags that only the file of its `--config` has,
/// behind `generate`, whose flags may be among them: one given by the same name is the file's no
/// more. Underscores in names of flags are hyphens. Throws Error(InvalidArgument) that names the
/// file.
std::vector<std::string> command_line(int argc, const char* const* argv);

}  // namespace reel::cli
