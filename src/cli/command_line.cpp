#include "command_line.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "boolean_flag.h"
#include "reel/base/error.h"

namespace reel::cli {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

/// A word as CLI11 is to see it: of a flag, underscores are hyphens.
std::string prepared(std::string word) {
  const auto name_end = std::find(word.begin(), word.end(), '=');
  if (word.starts_with("--")) std::replace(word.begin(), name_end, '_', '-');
  return word;
}

/// The flags in a JSON or YAML file (the former is the latter).
std::vector<Words> read_config(const std::string& path) try {
  const auto expect = [&path](bool holds, const std::string& what) {
    require(holds, fmt::format("--config {}: expected {}", path, what));
  };
  std::error_code none;
  expect(!fs::is_directory(path, none), "a file");
  const YAML::Node flags = YAML::LoadFile(path);
  expect(flags.IsMap() || flags.IsNull(), "flags and values");
  std::vector<Words> all;
  const std::function<void(const YAML::Node&, const std::string&)> add =
      [&](const YAML::Node& map, const std::string& before) {
        for (const auto& flag : map) {
          const YAML::Node& value = flag.second;
          const auto name = before + flag.first.as<std::string>();
          expect(name != "config", "no further --config");
          if (value.IsMap()) {  // as SGLang takes them
            add(value, name + ".");
            continue;
          }
          expect(value.IsScalar() || value.IsSequence(), "a value for " + name);
          Words words{prepared("--" + name)};
          if (value.IsScalar()) words.push_back(value.as<std::string>());
          for (const auto& item : value) words.push_back(item.as<std::string>());
          // A plain flag takes its value in the same word, or takes none.
          if (value.IsScalar() && read_boolean(words[1])) words = {words[0] + "=" + words[1]};
          all.push_back(std::move(words));
        }
      };
  add(flags, "");
  return all;
} catch (const YAML::Exception& error) {
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("--config {}: expected flags and values: {}", path, error.what()));
}

}  // namespace

Words command_line(int argc, const char* const* argv) {
  constexpr std::string_view kConfig = "--config", kConfigIs = "--config=";
  std::vector<Words> config;
  Words given;
  bool read = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word != kConfig && !word.starts_with(kConfigIs)) {
      given.push_back(prepared(word));
      continue;
    }
    require(!read && (word != kConfig || i + 1 < argc), "--config: expected one file");
    config = read_config(word == kConfig ? argv[++i] : word.substr(kConfigIs.size()));
    read = true;
  }
  const auto name_of = [](const std::string& word) { return word.substr(0, word.find('=')); };
  Words words;
  for (const Words& flag : config) {
    const bool again = std::any_of(given.begin(), given.end(), [&](const std::string& word) {
      return name_of(word) == name_of(flag[0]);
    });
    if (!again) words.insert(words.end(), flag.begin(), flag.end());
  }
  const auto command = std::find(given.begin(), given.end(), "generate");
  given.insert(command == given.end() ? given.begin() : command + 1, words.begin(), words.end());
  return given;
}

}  // namespace reel::cli
