#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Where one request ends and the next begins. Whatever two readers could frame in two ways is
/// refused here (RFC 9112, read strictly), before anything else looks at it.
namespace reel::http {

struct FramingLimits {
  size_t request_line = 8 << 10;  // bytes
  size_t head = 32 << 10;
  size_t header_lines = 100;
  uint64_t body = 64 << 20;
};

/// A request that is answered with `status` and a closed connection. Never reaches a handler.
class FramingFault : public std::runtime_error {
 public:
  FramingFault(int status, const std::string& what) : std::runtime_error(what), status_(status) {}
  int status() const noexcept { return status_; }

 private:
  int status_;
};

using Headers = std::vector<std::pair<std::string, std::string>>;  // names in lower case

/// The value of header `name` (lower case); nothing if absent.
std::optional<std::string_view> find_header(const Headers& headers, std::string_view name);

struct Head {
  std::string method;
  std::string target;  // "/path?query"
  Headers headers;
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;
  bool keep_alive = true;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

/// Finds the end of a head in bytes that come piecemeal. Looks at every byte once.
class HeadScanner {
 public:
  explicit HeadScanner(const FramingLimits& limits) : limits_(&limits) {}

  /// The length of the head at the start of `bytes`, or nothing while it is not whole.
  /// `bytes` is what came so far, all of it. Throws FramingFault.
  std::optional<size_t> scan(std::string_view bytes);

 private:
  const FramingLimits* limits_;
  size_t line_start_ = 0;
  size_t scanned_ = 0;
  size_t lines_ = 0;
};

/// Reads a whole head. Throws FramingFault.
Head parse_head(std::string_view bytes, const FramingLimits& limits);

/// Takes the chunks of a chunked body apart.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(const FramingLimits& limits) : limits_(&limits) {}

  /// Consumes from `bytes` and returns the next piece of the body that lies in it; empty when
  /// more bytes are needed, or when done(). Throws FramingFault.
  std::string_view next(std::string_view& bytes);

  bool done() const { return state_ == State::Done; }

 private:
  enum class State { Size, Data, DataEnd, Trailer, Done };
  std::optional<std::string_view> line(std::string_view& bytes, size_t limit);

  const FramingLimits* limits_;
  State state_ = State::Size;
  std::string line_;
  uint64_t left_ = 0;   // of this chunk
  uint64_t total_ = 0;  // of the body
  size_t trailer_bytes_ = 0;
};

}  // namespace reel::http
