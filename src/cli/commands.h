#pragma once

#include "flags.h"

namespace reel::cli {

// Each returns the exit status, and throws Error.
int serve(const Flags& flags);
int generate(const Flags& flags);
int bench(const BenchFlags& flags);
int tokenize(const TokenizeFlags& flags);

}  // namespace reel::cli
