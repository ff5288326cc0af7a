#include "boolean_flag.h"

#include <CLI/CLI.hpp>
#include <cctype>

namespace reel::cli {

std::optional<bool> read_boolean(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (text != "true" && text != "false") return std::nullopt;
  return text == "true";
}

CLI::Option* add_boolean(CLI::App& app, const std::string& name, bool& value,
                         const std::string& help) {
  return app
      .add_option_function<std::vector<std::string>>(
          name,
          [&value, name](const std::vector<std::string>& given) {
            const auto read = read_boolean(given.front());
            if (!read) {
              throw CLI::ValidationError(name,
                                         "expected true or false, got '" + given.front() + "'");
            }
            value = *read;
          },
          help)
      ->expected(0, 1)
      ->default_str("true")
      ->option_text("[true|false]")
      ->trigger_on_parse();
}

}  // namespace reel::cli
