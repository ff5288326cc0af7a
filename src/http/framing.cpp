#include "framing.h"

#include <algorithm>
#include <charconv>

#include "text.h"

namespace reel::http {
namespace {

constexpr size_t kChunkLine = 256;  // bytes, extensions included

[[noreturn]] void refuse(const std::string& what) { throw FramingFault(400, what); }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

/// Whether each % of a path begins the escape of a byte that can stand in one.
bool has_good_escapes(std::string_view path) {
  for (size_t at = path.find('%'); at != path.npos; at = path.find('%', at + 1)) {
    const auto digits = path.substr(at + 1, 2);
    if (digits.size() < 2 || !is_hex(digits[0]) || !is_hex(digits[1]) || digits == "00") {
      return false;
    }
  }
  return true;
}

bool is_target(std::string_view text) {
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
           return c > 0x20 && c < 0x7f && c != '#' && c != '\\';
         });
}

// name[:port], 1.2.3.4[:port] or [v6][:port].
bool is_host(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : text.substr(1, end - 1)) {
      if (!is_hex(c) && c != ':' && c != '.') return false;
    }
    port = text.substr(end + 1);
  } else {
    const size_t end = std::min(text.find(':'), text.size());
    if (end == 0) return false;
    for (const char c : text.substr(0, end)) {
      if (!is_alnum(c) && c != '.' && c != '-' && c != '_') return false;
    }
    port = text.substr(end);
  }
  if (port.empty()) return true;
  port.remove_prefix(1);
  return text.find(':') != std::string_view::npos && !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), is_digit);
}

void read_request_line(std::string_view line, Head& head, bool& http10) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    refuse("request line: expected METHOD TARGET VERSION");
  }
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method)) refuse("request line: the method is not a token");
  static constexpr std::string_view kMethods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                                  "PATCH", "DELETE", "OPTIONS"};
  if (std::find(std::begin(kMethods), std::end(kMethods), method) == std::end(kMethods)) {
    throw FramingFault(501, "request line: the method is not known");
  }
  if (!is_target(target)) {
    refuse("request line: expected a target that starts with / and has no spaces or controls");
  }
  if (!has_good_escapes(target.substr(0, target.find('?')))) {
    refuse("request line: expected two hex digits, and not 00, after % in the path");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    const bool other = version.size() == 8 && version.starts_with("HTTP/") &&
                       is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
    throw FramingFault(other ? 505 : 400, "request line: expected HTTP/1.1 or HTTP/1.0");
  }
  head.method = method;
  head.target = target;
  http10 = version == "HTTP/1.0";
}

std::pair<std::string, std::string> read_field(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) refuse("header: a folded line");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) refuse("header: a line without a colon");
  const auto name = line.substr(0, colon);
  if (!is_token(name)) refuse("header: the name is not a token");
  const auto value = trim(line.substr(colon + 1));
  if (!is_field_value(value)) refuse("header: a control character in a value");
  return {to_lower(name), std::string(value)};
}

uint64_t read_content_length(std::string_view value) {
  uint64_t length = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (value.empty() || !is_digit(value[0]) || fault != std::errc{} ||
      end != value.data() + value.size()) {
    refuse("content-length: expected one number");
  }
  return length;
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (to_lower(trim(list.substr(0, comma))) == token) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

void read_framing(Head& head, bool http10) {
  size_t hosts = 0;
  for (const auto& [name, value] : head.headers) {
    if (name == "host") {
      if (++hosts > 1) refuse("host: given twice");
      if (!is_host(value)) refuse("host: expected name[:port]");
    } else if (name == "content-length") {
      if (head.content_length) refuse("content-length: given twice");
      head.content_length = read_content_length(value);
    } else if (name == "transfer-encoding") {
      if (head.chunked) refuse("transfer-encoding: given twice");
      if (to_lower(value) != "chunked") refuse("transfer-encoding: expected chunked");
      head.chunked = true;
    } else if (name == "connection") {
      if (has_token(value, "close")) head.keep_alive = false;
    } else if (name == "expect") {
      if (to_lower(value) != "100-continue") {
        throw FramingFault(417, "expect: expected 100-continue");
      }
      head.expects_continue = true;
    }
  }
  if (head.chunked && head.content_length) {
    refuse("transfer-encoding: given together with content-length");
  }
  if (http10) {
    if (head.chunked) refuse("transfer-encoding: not in HTTP/1.0");
    head.keep_alive = head.expects_continue = false;
  } else if (hosts == 0) {
    refuse("host: missing");
  }
}

}  // namespace

std::optional<std::string_view> find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<size_t> HeadScanner::scan(std::string_view bytes) {
  while (scanned_ < bytes.size()) {
    const size_t newline = bytes.find('\n', scanned_);
    const size_t end = std::min(newline, bytes.size());
    const size_t length = end - line_start_;
    if (lines_ == 0 && length > limits_->request_line) {
      throw FramingFault(414, "request line: too long");
    }
    if (end > limits_->head) throw FramingFault(431, "headers: too long together");
    scanned_ = end;
    if (newline == std::string_view::npos) return std::nullopt;
    if (newline == line_start_ || bytes[newline - 1] != '\r') refuse("a line ends without CR");
    scanned_ = newline + 1;
    // One empty line before a request is forgiven (RFC 9112 §2.2).
    if (length == 1 && newline > 1) return scanned_;
    if (length > 1 && lines_++ > limits_->header_lines) {
      throw FramingFault(431, "headers: too many lines");
    }
    line_start_ = scanned_;
  }
  return std::nullopt;
}

Head parse_head(std::string_view bytes, const FramingLimits& limits) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  Head head;
  bool http10 = false, first = true;
  while (!bytes.starts_with("\r\n")) {
    const size_t end = bytes.find("\r\n");
    if (end == std::string_view::npos) refuse("the head is cut off");
    if (first) {
      read_request_line(bytes.substr(0, end), head, http10);
    } else {
      head.headers.push_back(read_field(bytes.substr(0, end)));
    }
    first = false;
    bytes.remove_prefix(end + 2);
  }
  if (first) refuse("request line: missing");
  read_framing(head, http10);
  if (head.content_length.value_or(0) > limits.body) {
    throw FramingFault(413, "body: larger than " + std::to_string(limits.body) + " bytes");
  }
  return head;
}

std::optional<std::string_view> ChunkDecoder::line(std::string_view& bytes, size_t limit) {
  const size_t newline = bytes.find('\n');
  const bool whole = newline != std::string_view::npos;
  const auto piece = bytes.substr(0, whole ? newline + 1 : bytes.size());
  if (line_.size() + piece.size() > limit) refuse("chunk: a line is too long");
  line_ += piece;
  bytes.remove_prefix(piece.size());
  if (!whole) return std::nullopt;
  if (!line_.ends_with("\r\n")) refuse("chunk: a line ends without CR");
  return std::string_view(line_).substr(0, line_.size() - 2);
}

std::string_view ChunkDecoder::next(std::string_view& bytes) {
  while (!bytes.empty() && state_ != State::Done) {
    if (state_ == State::Data) {
      const auto piece = bytes.substr(0, std::min<uint64_t>(left_, bytes.size()));
      bytes.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = State::DataEnd;
      return piece;
    }
    const auto text = line(bytes, state_ == State::Trailer ? limits_->head : kChunkLine);
    if (!text) return {};
    switch (state_) {
      case State::Size: {
        const char* const end = text->data() + text->size();
        const auto [stop, fault] = std::from_chars(text->data(), end, left_, 16);
        if (text->empty() || !is_hex((*text)[0]) || fault != std::errc{} ||
            (stop != end && *stop != ';') || !is_field_value(*text)) {
          refuse("chunk: expected a size in hex");
        }
        if (left_ > limits_->body || (total_ += left_) > limits_->body) {
          throw FramingFault(413, "body: larger than " + std::to_string(limits_->body) + " bytes");
        }
        state_ = left_ == 0 ? State::Trailer : State::Data;
        break;
      }
      case State::DataEnd:
        if (!text->empty()) refuse("chunk: longer than its size");
        state_ = State::Size;
        break;
      default:  // Trailer: read for its end, its fields are not used
        if (text->empty()) {
          state_ = State::Done;
        } else {
          read_field(*text);
          if ((trailer_bytes_ += text->size()) > limits_->head) refuse("trailer: too long");
        }
    }
    line_.clear();
  }
  return {};
}

}  // namespace reel::http
