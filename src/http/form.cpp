#include "form.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "reel/base/digest.h"
#include "reel/base/error.h"
#include "reel/base/model_file.h"
#include "text.h"

namespace reel::http {
namespace {

using nlohmann::json;

constexpr size_t kParts = 64;
constexpr size_t kName = 256;          // bytes
constexpr size_t kPartHead = 8 << 10;  // bytes
constexpr int kDepth = 32;             // of JSON
constexpr size_t kJsonValues = 100'000;

std::string_view media_type(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

// `text` is what follows the `;` of a header: name=value; name="quoted \" value"; …
std::optional<std::string> parameter(std::string_view text, std::string_view wanted) {
  while (!text.empty()) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string name = to_lower(trim(text.substr(0, equals)));
    text = trim(text.substr(equals + 1));
    std::string value;
    if (text.starts_with('"')) {
      size_t at = 1;
      for (; at < text.size() && text[at] != '"'; ++at) {
        // Browsers send a backslash as it is, and %22 for a quote; others escape the quote.
        if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == '"') ++at;
        value += text[at];
      }
      if (at == text.size()) return std::nullopt;
      text.remove_prefix(at + 1);
    } else {
      value = trim(text.substr(0, text.find(';')));
    }
    if (name == wanted) return value;
    const size_t next = text.find(';');
    if (next == std::string_view::npos) return std::nullopt;
    text = trim(text.substr(next + 1));
  }
  return std::nullopt;
}

std::string_view after_semicolon(std::string_view text) {
  const size_t at = text.find(';');
  return at == std::string_view::npos ? std::string_view() : trim(text.substr(at + 1));
}

Part read_part_head(std::string_view head) {
  Part part;
  bool named = false;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const auto line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const size_t colon = std::min(line.find(':'), line.size());
    const std::string name = to_lower(trim(line.substr(0, colon)));
    const auto value = trim(line.substr(std::min(colon + 1, line.size())));
    if (name == "content-type") {
      part.content_type = value;
    } else if (name == "content-disposition") {
      require(to_lower(media_type(value)) == "form-data",
              "multipart: expected Content-Disposition: form-data");
      const auto field = parameter(after_semicolon(value), "name");
      named = field && !field->empty() && field->size() <= kName;
      part.name = field.value_or("");
      part.filename = parameter(after_semicolon(value), "filename");
    }
  }
  require(named, fmt::format("multipart: a part needs a name of 1 to {} bytes", kName));
  return part;
}

const std::string& checked_utf8(const std::string& text, const std::string& field) {
  try {
    (void)json(text).dump();
  } catch (const json::exception&) {
    throw Error(ErrorCode::InvalidArgument, field + ": expected text in UTF-8", field);
  }
  return text;
}

void append(json& slot, json value) {
  if (slot.is_null()) {
    slot = std::move(value);
  } else if (slot.is_array()) {
    slot.push_back(std::move(value));
  } else {
    slot = json::array({std::move(slot), std::move(value)});
  }
}

// name, name[] (an array) or name[key] (an object).
void add_field(json& fields, const std::string& name, std::string value) {
  checked_utf8(name, "form");
  json text = checked_utf8(value, name);
  const size_t open = name.find('[');
  if (open == std::string::npos || open == 0 || !name.ends_with(']')) {
    return append(fields[name], std::move(text));
  }
  json& slot = fields[name.substr(0, open)];
  const std::string key = name.substr(open + 1, name.size() - open - 2);
  if (key.empty()) {
    if (slot.is_null()) slot = json::array();
    return append(slot, std::move(text));
  }
  require(slot.is_null() || slot.is_object(), fmt::format("{}: given in two ways", name), name);
  append(slot[key], std::move(text));
}

json read_json(const std::string& body) {
  size_t values = 0;
  std::string field;  // whose value is being read
  using Event = json::parse_event_t;
  const auto watch = [&](int depth, Event event, json& value) {
    require(depth <= kDepth, fmt::format("body: JSON is nested more than {} deep", kDepth));
    require(++values <= kJsonValues, fmt::format("body: JSON has over {} values", kJsonValues));
    const bool begins = event == Event::object_start || event == Event::array_start;
    if (depth == 1 && !begins) field = event == Event::key ? value.get<std::string>() : "";
    return true;
  };
  json fields;
  try {
    fields = json::parse(body, watch);
  } catch (const json::exception& fault) {
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("{}: expected JSON in UTF-8, got {}", field.empty() ? "body" : field,
                            json_fault(fault.what())),
                field);
  }
  require(fields.is_object(),
          fmt::format("body: expected a JSON object, got {}", fields.type_name()));
  return fields;
}

/// Beside a form's own fields extra_body does not win, as with SGLang: so it goes by a name that
/// does not.
json with_own_fields_first(json fields) {
  for (const char* name : {"extra_params", "extra_args"}) {
    if (!fields.contains("extra_body") || fields.contains(name)) continue;
    fields[name] = std::move(fields["extra_body"]);
    fields.erase("extra_body");
  }
  return fields;
}

json read_urlencoded(std::string_view body) {
  json fields = json::object();
  for (size_t pairs = 0; !body.empty(); ++pairs) {
    const size_t end = std::min(body.find('&'), body.size());
    const auto pair = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    require(pairs < kParts, fmt::format("form: more than {} fields", kParts));
    add_field(fields, decode_form_text(pair.substr(0, equals)),
              decode_form_text(pair.substr(std::min(equals + 1, pair.size()))));
  }
  return fields;
}

json read_multipart(std::string_view content_type, std::string_view body) {
  json fields = json::object();
  for (const Part& part : parse_multipart(content_type, body)) {
    const bool file = part.filename && (!part.content.empty() || !part.filename->empty());
    if (file && !is_text_field(part.name) && !part.content_type.starts_with("text/")) {
      const auto type = part.content_type.empty() ? "application/octet-stream" : part.content_type;
      add_field(fields, part.name,
                fmt::format("data:{};base64,{}", type, encode_base64(part.content)));
    } else {
      add_field(fields, part.name, std::string(part.content));
    }
  }
  return fields;
}

}  // namespace

bool is_text_field(std::string_view name) {
  return name == "prompt" || name == "negative_prompt" || name == "model";
}

std::string decode_form_text(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    require(i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]),
            "form: expected two hex digits after %");
    unsigned byte = 0;
    std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

std::vector<Part> parse_multipart(std::string_view content_type, std::string_view body) {
  const auto boundary = parameter(after_semicolon(content_type), "boundary");
  require(boundary && !boundary->empty() && boundary->size() <= 70,
          "multipart: Content-Type needs a boundary of 1 to 70 characters");
  const std::string first = "--" + *boundary, next = "\r\n" + first;
  size_t at;
  if (body.starts_with(first)) {
    at = first.size();
  } else {
    at = body.find(next);
    require(at != std::string_view::npos, "multipart: the boundary does not occur");
    at += next.size();
  }
  std::vector<Part> parts;
  for (body.remove_prefix(at); !body.starts_with("--");) {
    require(body.starts_with("\r\n"), "multipart: expected a line end after the boundary");
    require(parts.size() < kParts, fmt::format("multipart: more than {} parts", kParts));
    const size_t head = body.substr(0, kPartHead).find("\r\n\r\n");
    require(head != std::string_view::npos, "multipart: a part's header does not end");
    Part part = read_part_head(body.substr(2, std::max<size_t>(head, 2) - 2));
    body.remove_prefix(head + 4);
    const size_t end = body.find(next);
    require(end != std::string_view::npos, "multipart: the last boundary is missing");
    part.content = body.substr(0, end);
    parts.push_back(std::move(part));
    body.remove_prefix(end + next.size());
  }
  return parts;
}

json read_fields(const Request& request) {
  const std::string_view content_type = request.header("content-type").value_or("");
  const std::string type = to_lower(media_type(content_type));
  const std::string body = request.body.read();
  if (type == "multipart/form-data") {
    return with_own_fields_first(read_multipart(content_type, body));
  }
  const size_t first = body.find_first_not_of(" \t\r\n");
  const bool looks_json = first != std::string::npos && body[first] == '{';
  if (type == "application/x-www-form-urlencoded" && !looks_json) {
    return with_own_fields_first(read_urlencoded(body));
  }
  if (!looks_json && !type.empty() && type != "application/json" && !type.ends_with("+json")) {
    throw Error(ErrorCode::Unsupported,
                fmt::format("content-type: expected application/json, multipart/form-data or "
                            "application/x-www-form-urlencoded, got {}",
                            type),
                "content-type");
  }
  return read_json(body);
}

}  // namespace reel::http
