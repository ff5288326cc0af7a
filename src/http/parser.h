#pragma once

#include <memory>
#include <optional>
#include <string>

#include "message.h"

namespace reel::http {

/// A request that the event loop has read whole.
struct Exchange {
  Head head;
  Body body;
  std::string peer;
};

/// What the event loop is to do about one request.
struct Outgoing {
  std::string bytes;  // head and body, or the head of `file`
  std::optional<File> file;
  std::optional<Wait> wait;      // then there are no bytes yet
  std::optional<Events> events;  // what follows the bytes
};

/// cpp-httplib between our event loop and our handlers: it parses a framed request's head and
/// writes the reply. One thread at a time.
class Parser {
 public:
  Parser();
  ~Parser();

  /// Has `handler` answer the request.
  Outgoing answer(Exchange exchange, const Handler& handler);

  /// The answer `ready` to a request of `method`.
  Outgoing write(std::string_view method, Ready ready, bool close);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace reel::http
