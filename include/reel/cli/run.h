#pragma once

namespace reel::cli {

/// The whole program: `serve`, `serve generate`, `serve bench`, `serve tokenize`.
/// Returns the exit status: 0 done, 2 a wrong flag, 1 any other fault, 70 a failed engine.
int run(int argc, const char* const* argv);

}  // namespace reel::cli
