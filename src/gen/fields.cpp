#include "fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "reel/base/error.h"
#include "reel/gen/request_json.h"
#include "shown.h"

namespace reel::gen {
namespace {

using nlohmann::json;

std::string trimmed(const std::string& text) {
  constexpr const char* kSpaces = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

template <class T>
std::optional<T> parsed(const std::string& text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// `value` if T can hold it exactly.
template <class T>
std::optional<T> whole(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    if (std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_float()) {
    const auto number = value.get<double>();
    // 2^53: beyond it a float does not tell one whole number from the next.
    if (number == std::floor(number) && std::abs(number) < 9007199254740992.0) {
      return whole<T>(json(static_cast<int64_t>(number)));
    }
  } else if (value.is_string()) {
    const std::string text = trimmed(value.get_ref<const std::string&>());
    if (const auto number = parsed<T>(text)) return number;
    if (const auto number = parsed<double>(text)) return whole<T>(json(*number));
  }
  return std::nullopt;
}

std::optional<double> finite(const json& value) {
  std::optional<double> number;
  if (value.is_number()) number = value.get<double>();
  if (value.is_string()) number = parsed<double>(trimmed(value.get_ref<const std::string&>()));
  return number && std::isfinite(*number) ? number : std::nullopt;
}

bool is_blank(const json& value) {
  return value.is_string() && trimmed(value.get_ref<const std::string&>()).empty();
}

/// Python's way to write lists, dicts, texts and numbers, in JSON: forms of Python's clients have
/// it.
std::string json_of_python(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"True", "true"}, {"False", "false"}, {"None", "null"}};
  std::string json;
  char quote = 0;  // that the text ends with in which we are
  while (!text.empty()) {
    const char c = text.front();
    const auto* word = std::find_if(std::begin(kWords), std::end(kWords),
                                    [&](const auto& one) { return text.starts_with(one.first); });
    size_t read = 1;
    if (quote != 0 && c == '\\') {
      read = 2;
      json += text.substr(0, 2) == "\\'" ? "'" : text.substr(0, 2);
    } else if (c == quote || (quote == 0 && (c == '\'' || c == '"'))) {
      quote = quote == 0 ? c : 0;
      json += '"';
    } else if (quote == 0 && word != std::end(kWords)) {
      read = word->first.size();
      json += word->second;
    } else {
      if (c == '"') json += '\\';
      json += c;
    }
    text.remove_prefix(std::min(read, text.size()));
  }
  return json;
}

/// JSON, or the like of Python's, inside a text field; discarded if it is none. More values, or
/// values nested deeper, than any field needs are none: to copy or to print them would take as much
/// memory, or as deep a stack.
json parse_text(const std::string& text) {
  constexpr int kDeepest = 32, kMost = 20'000;
  int values = 0;
  bool too_much = false;
  const auto watch = [&](int depth, json::parse_event_t, json&) {
    too_much = too_much || depth > kDeepest || ++values > kMost;
    return !too_much;
  };
  json value = json::parse(text, watch, /*allow_exceptions=*/false);
  if (value.is_discarded() && !too_much) value = json::parse(json_of_python(text), watch, false);
  return too_much ? json(json::value_t::discarded) : value;
}

/// The object that a wrapper holds: itself, or its text.
json unwrapped(const std::string& name, const json& value) {
  if (value.is_null() || is_blank(value)) return json::object();
  json object = value;
  if (value.is_string()) {
    object = parse_text(value.get_ref<const std::string&>());
    if (object.is_discarded()) {
      throw Error(ErrorCode::InvalidArgument, name + " is not valid JSON", name);
    }
  }
  if (!object.is_object()) refuse(name, "a JSON object", value);
  return object;
}

}  // namespace

void refuse(const std::string& field, const std::string& expected, const json& got) {
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("{}: expected {}, got {}", field, expected, shown(got)), field);
}

json without_wrappers(const json& body) {
  if (!body.is_object()) refuse("body", "a JSON object", body);
  json object = body;
  struct Wrapper {
    const char* name;
    bool wins;  // over the fields beside it
  };
  static constexpr Wrapper kWrappers[] = {
      {"extra_body", true}, {"extra_json", true}, {"extra_params", false}, {"extra_args", false}};
  for (const auto& [name, wins] : kWrappers) {
    const auto wrapper = body.find(name);
    if (wrapper == body.end()) continue;
    const json fields = without_wrappers(unwrapped(name, *wrapper));  // in it may be others
    for (const auto& [key, value] : fields.items()) {
      if (wins || !object.contains(key) || object[key].is_null()) object[key] = value;
    }
  }
  for (const Wrapper& wrapper : kWrappers) object.erase(wrapper.name);
  return object;
}

Fields::Fields(const json& body) : object_(without_wrappers(body)) {}

const json* Fields::find(const std::string& name) {
  seen_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Fields::text(const std::string& name) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse(name, "text", *value);
  return value->get<std::string>();
}

std::optional<int> Fields::integer(const std::string& name) {
  const json* value = find(name);
  if (value == nullptr || is_blank(*value)) return std::nullopt;
  const auto number = whole<int>(*value);
  if (!number) {
    const bool too_large = whole<int64_t>(*value) || whole<uint64_t>(*value);
    refuse(name, too_large ? "a whole number of at most 31 bits" : "a whole number", *value);
  }
  return number;
}

std::optional<double> Fields::number(const std::string& name) {
  const json* value = find(name);
  if (value == nullptr || is_blank(*value)) return std::nullopt;
  const auto number = finite(*value);
  if (!number) refuse(name, "a finite number", *value);
  return number;
}

std::vector<double> Fields::numbers(const std::string& name) {
  std::vector<double> numbers;
  for (const json& element : list(name)) {
    const auto number = finite(element);
    if (!number) refuse(name, "finite numbers", element);
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<bool> Fields::truth(const std::string& name) {
  const json* value = find(name);
  if (value == nullptr || is_blank(*value)) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  std::string text = value->is_string() ? trimmed(value->get<std::string>()) : value->dump();
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const char* word : {"true", "1", "yes", "on"}) {
    if (text == word) return true;
  }
  for (const char* word : {"false", "0", "no", "off"}) {
    if (text == word) return false;
  }
  refuse(name, "true or false", *value);
}

json Fields::list(const std::string& name) {
  const json* value = find(name);
  if (value == nullptr || is_blank(*value)) return json::array();
  json list = *value;
  if (value->is_string() && trimmed(value->get_ref<const std::string&>()).front() == '[') {
    list = parse_text(value->get_ref<const std::string&>());
  }
  if (!list.is_array()) list = json::array({list});
  if (list.empty()) throw Error(ErrorCode::InvalidArgument, name + " list must not be empty", name);
  return list;
}

std::vector<uint64_t> Fields::seeds(const std::string& name) {
  std::vector<uint64_t> seeds;
  for (const json& element : list(name)) {
    const auto seed = whole<uint64_t>(element);
    if (!seed) refuse(name, "whole numbers from 0 to 2^64 - 1", any(name));
    seeds.push_back(*seed);
  }
  return seeds;
}

std::optional<std::string> Fields::word(const std::string& name,
                                        const std::vector<std::string>& words) {
  const auto given = text(name);
  if (!given || given->empty()) return std::nullopt;
  for (const std::string& word : words) {
    if (*given == word) return given;
  }
  refuse(name, fmt::format("one of {}", fmt::join(words, ", ")), *given);
}

json Fields::any(const std::string& name) {
  const json* value = find(name);
  return value == nullptr ? json() : *value;
}

bool Fields::asks(const std::string& name) {
  json value = any(name);
  if (value.is_string()) {  // of a form, perhaps {} or false
    constexpr size_t kLongest = 8;
    const auto& text = value.get_ref<const std::string&>();
    json meant = text.size() <= kLongest ? parse_text(text) : json(json::value_t::discarded);
    if (!meant.is_discarded()) value = std::move(meant);
  }
  return !value.empty() && !is_blank(value) && value != json(false);
}

std::vector<std::string> Fields::unknown() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : object_.items()) {
    if (!seen_.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace reel::gen
