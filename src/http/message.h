#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "body.h"
#include "framing.h"

namespace reel::http {

/// What a handler is given. `path` is decoded; `headers` are as they came, names in lower case.
struct Request {
  std::string method;  // "HEAD" is routed as GET; the method stays what it was
  std::string path;
  std::map<std::string, std::string, std::less<>> query;  // the last of a repeated name wins
  Headers headers;
  Body body;
  std::string id;                    // x-request-id
  std::string trace;                 // traceparent, "" without a good one
  std::string peer;                  // address
  std::optional<std::string> owner;  // name of its API key: sees that one's jobs; none: everybody's
  std::vector<std::string> args;     // what stood for {…} in the route

  std::optional<std::string_view> header(std::string_view name) const {
    return find_header(headers, name);
  }
  /// Query parameter `name`, or `otherwise`.
  std::string param(std::string_view name, std::string_view otherwise = {}) const {
    const auto found = query.find(name);
    return std::string(found == query.end() ? otherwise : found->second);
  }
};

inline constexpr std::string_view kTiming = "Server-Timing";

struct Reply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Bytes of an open file, sent by the event loop: a slow reader holds no thread.
struct File {
  Reply head;  // its body is empty
  Descriptor file;
  uint64_t offset = 0;
  uint64_t length = 0;
};

/// An answer that goes on: server-sent events, until the connection ends. Nothing waits in a thread
/// for the next one. All functions are there, and throw nothing when the event loop has them.
struct Events {
  Reply head;  // its body is empty
  /// Whether `next` has something to say. On the event loop's thread: quick.
  std::function<bool()> ready;
  /// What is to be sent now, on a worker; sets `last` if nothing follows.
  std::function<std::string(bool& last)> next;
  /// Called on a worker when the client hangs up first.
  std::function<void()> gone;
};

/// An answer that is there, or begins to be.
using Ready = std::variant<Reply, File, Events>;

inline Reply& head_of(Ready& ready) {
  if (auto* reply = std::get_if<Reply>(&ready)) return *reply;
  if (auto* file = std::get_if<File>(&ready)) return file->head;
  return std::get<Events>(ready).head;
}

/// An answer that is not there yet. Nothing waits in a thread for it. Both functions are there, and
/// throw nothing when the event loop has them.
struct Wait {
  /// Asked every `period` on a worker until it gives an answer.
  std::function<std::optional<Ready>()> poll;
  /// As Events'.
  std::function<void()> gone;
  std::chrono::milliseconds period{10};
};

using Answer = std::variant<Ready, Wait>;

/// Turns a request into an answer. Any thread; throws nothing.
using Handler = std::function<Answer(Request&)>;

}  // namespace reel::http
