#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "message.h"

namespace reel::http {

/// One part of a multipart body. Views into it.
struct Part {
  std::string name;
  std::optional<std::string> filename;  // there: it is a file
  std::string content_type;
  std::string_view content;
};

/// Takes a multipart/form-data body apart. Throws Error(InvalidArgument): a body without its
/// boundary, a part without a name, more than 64 parts.
std::vector<Part> parse_multipart(std::string_view content_type, std::string_view body);

/// Whether a field is words, whatever they look like: neither a number nor a file.
bool is_text_field(std::string_view name);

/// "%41+b" as "A b". Throws Error(InvalidArgument) for a % without two hex digits.
std::string decode_form_text(std::string_view text);

/// The fields of a request's body as one JSON object, whichever way they were sent: JSON,
/// multipart, urlencoded; and JSON that was labelled as a form, as curl does with -d.
///
/// A form's values are text; names that repeat, or end in [], become arrays, `a[b]` a field of an
/// object; a file becomes a data URI, unless the field is text.
/// Throws Error(InvalidArgument), or Error(Unsupported) for another kind of content.
nlohmann::json read_fields(const Request& request);

}  // namespace reel::http
