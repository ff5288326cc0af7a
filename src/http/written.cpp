#include "parser.h"

namespace reel::http {
namespace {

constexpr size_t kHead = 512;  // bytes, most of the time
// The event loop waits a little longer.
constexpr std::string_view kKeepAlive = "Keep-Alive: timeout=300, max=1000000\r\n";

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

void add_header(std::string& bytes, std::string_view name, std::string_view value) {
  if (value.find('\r') != value.npos || value.find('\n') != value.npos) return;  // more than one
  bytes += name;
  bytes += ": ";
  bytes += value;
  bytes += "\r\n";
}

/// `length`, of the body: none, if its end is the connection's.
std::string head_bytes(const Reply& reply, bool close, std::optional<uint64_t> length) {
  std::string bytes;
  bytes.reserve(kHead + reply.body.size());
  bytes += "HTTP/1.1 " + std::to_string(reply.status) + ' ';
  bytes += reason_of(reply.status);
  bytes += "\r\n";
  bytes += close ? "Connection: close\r\n" : kKeepAlive;
  if (reply.status != 204) add_header(bytes, "Content-Type", reply.content_type);
  const bool tells_length = length && reply.status != 204 && reply.status != 304;
  if (tells_length) add_header(bytes, "Content-Length", std::to_string(*length));
  for (const auto& [name, value] : reply.headers) add_header(bytes, name, value);
  bytes += "\r\n";
  return bytes;
}

}  // namespace

Outgoing written(std::string_view method, Answer answer, bool close) {
  const bool whole = method != "HEAD";
  Outgoing outgoing;
  if (auto* wait = std::get_if<Wait>(&answer)) {
    outgoing.wait = std::move(*wait);
    return outgoing;
  }
  Ready& ready = std::get<Ready>(answer);
  std::string& bytes = outgoing.bytes;
  if (auto* reply = std::get_if<Reply>(&ready)) {
    bytes = head_bytes(*reply, close, reply->body.size());
    if (whole) bytes += reply->body;
  } else if (auto* file = std::get_if<File>(&ready)) {
    bytes = head_bytes(file->head, close, file->length);
    if (whole) outgoing.file = std::move(*file);
  } else {
    auto& events = std::get<Events>(ready);
    bytes = head_bytes(events.head, close || whole, std::nullopt);
    if (whole) outgoing.events = std::move(events);
  }
  return outgoing;
}

}  // namespace reel::http
