#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace reel::cli {

/// true or false, in letters of any size; nothing for any other text.
std::optional<bool> read_boolean(std::string text);

/// `--flag`, `--flag true` and `--flag false`, as SGLang's StoreBoolean.
CLI::Option* add_boolean(CLI::App& app, const std::string& name, bool& value,
                         const std::string& help);

}  // namespace reel::cli
