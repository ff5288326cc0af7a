#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

/// One line an event, in logfmt, to standard error: `I job.completed job=video_6f ms=41873`.
/// Events are `noun.verb`. Safe from any thread.
namespace reel::log {

enum class Level { Debug, Info, Warning, Error, Off };

struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  Field(std::string_view k, std::integral auto v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, double v);
};

using Fields = std::initializer_list<Field>;

void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warning(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});

/// From now on, lines under `level` are dropped. The default is Info.
void set_level(Level level);

/// Whether lines of `level` are kept: worth asking where making the fields costs.
bool shows(Level level);

/// Reads "debug", "info", "warning", "error" or "off". Throws Error(InvalidArgument).
Level parse_level(std::string_view name);

}  // namespace reel::log
