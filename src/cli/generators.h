#pragma once

#include <memory>
#include <string>

#include "flags.h"
#include "reel/gen/generator.h"

namespace reel::cli {

/// The fake for a path that names it, else the engine, which begins to load. `dump`: a folder for
/// the tensors of every generation; "": none. Throws Error.
std::unique_ptr<gen::Generator> make_generator(const ModelFlags& flags, const std::string& dump);

}  // namespace reel::cli
