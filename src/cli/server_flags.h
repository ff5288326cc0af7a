#pragma once

#include "flags.h"

namespace CLI {
class App;
}

namespace reel::cli {

void add_server_flags(CLI::App& app, ServerFlags& flags);

}  // namespace reel::cli
