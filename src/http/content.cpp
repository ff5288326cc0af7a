#include "content.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "error_reply.h"
#include "reel/base/error.h"
#include "text.h"

namespace reel::http {
namespace {

// Nothing if `text` is not a number; one that is too large is as good as the largest.
std::optional<uint64_t> number(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  uint64_t value = UINT64_MAX;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc::result_out_of_range ? UINT64_MAX : value;
}

bool lists_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    auto one = trim(list.substr(0, comma));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag || one == "*") return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

ByteRange parse_range(std::string_view header, uint64_t size) {
  const ByteRange whole{ByteRange::Kind::Whole, 0, size};
  const size_t equals = header.find('=');
  if (equals == std::string_view::npos || to_lower(trim(header.substr(0, equals))) != "bytes") {
    return whole;
  }
  const auto range = trim(header.substr(equals + 1));
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return whole;
  const auto first_text = trim(range.substr(0, dash)), last_text = trim(range.substr(dash + 1));
  const auto first = number(first_text), last = number(last_text);
  if (first_text.empty()) {
    if (!last) return whole;
    if (*last == 0 || size == 0) return {ByteRange::Kind::Unsatisfiable};
    const uint64_t length = std::min(*last, size);
    return {ByteRange::Kind::Part, size - length, length};
  }
  if (!first || (!last_text.empty() && (!last || *last < *first))) return whole;
  if (*first >= size) return {ByteRange::Kind::Unsatisfiable};
  const uint64_t end = std::min(last.value_or(UINT64_MAX), size - 1);
  return {ByteRange::Kind::Part, *first, end - *first + 1};
}

Ready content_reply(const Request& request, const jobs::BlobStore& blobs, const jobs::Job& job,
                    const std::string& name, const std::string& content_type) {
  const auto blob = blobs.find(name);
  File file;
  if (blob) file.file = Descriptor(open(blob->path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.file) {
    throw Error(ErrorCode::NotFound, fmt::format("{}: its file is not there any more", job.id));
  }
  // A blob never changes, and its name is never used again.
  const std::string tag = fmt::format("\"{}-{}\"", name, blob->bytes);
  const std::string modified = http_date(job.completed_at.value_or(0));
  Reply& head = file.head;
  head.content_type = content_type;
  head.headers = {{"Accept-Ranges", "bytes"},
                  {"ETag", tag},
                  {"Last-Modified", modified},
                  {"Cache-Control", "private"},
                  {"Content-Disposition", fmt::format("attachment; filename=\"{}\"", name)}};
  file.length = blob->bytes;
  if (const auto wanted = request.header("if-match"); wanted && !lists_tag(*wanted, tag)) {
    return error_reply(412, fmt::format("if-match: the file's tag is {}", tag), "if-match");
  }
  const auto known = request.header("if-none-match"), since = request.header("if-modified-since");
  if (known ? lists_tag(*known, tag) : since && *since == modified) {
    head.status = 304;
    head.headers.emplace_back("Content-Length", std::to_string(blob->bytes));
    return std::move(head);
  }
  const auto range = request.header("range");
  const auto only_if = request.header("if-range").value_or(tag);
  if (!range || request.method != "GET" || (only_if != tag && only_if != modified)) return file;
  const ByteRange part = parse_range(*range, blob->bytes);
  if (part.kind == ByteRange::Kind::Unsatisfiable) {
    Reply reply =
        error_reply(416, fmt::format("range: the file has {} bytes", blob->bytes), "range");
    reply.headers.emplace_back("Content-Range", fmt::format("bytes */{}", blob->bytes));
    return reply;
  }
  if (part.kind == ByteRange::Kind::Part) {
    head.status = 206;
    file.offset = part.offset;
    file.length = part.length;
    head.headers.emplace_back(
        "Content-Range",
        fmt::format("bytes {}-{}/{}", part.offset, part.offset + part.length - 1, blob->bytes));
  }
  return file;
}

}  // namespace reel::http
