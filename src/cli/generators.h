#pragma once

#include <memory>

#include "reel/engine/engine.h"
#include "reel/gen/generator.h"

namespace reel::cli {

/// The fake for a path that names it, else the engine, which begins to load. Throws Error.
std::unique_ptr<gen::Generator> make_generator(engine::Options options);

/// The engine of this build; one without libtorch has none, and throws Error(Unsupported).
std::unique_ptr<gen::Generator> make_engine(engine::Options options);

}  // namespace reel::cli
