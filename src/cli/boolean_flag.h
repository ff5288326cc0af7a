#pragma once

#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace reel::cli {

/// `--flag`, `--flag true` and `--flag false`, as SGLang's StoreBoolean.
CLI::Option* add_boolean(CLI::App& app, const std::string& name, bool& value,
                         const std::string& help);

}  // namespace reel::cli
