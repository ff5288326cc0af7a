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

/// What goes out for the answer to a request of `method`, after which the connection is closed or
/// not.
Outgoing written(std::string_view method, Answer answer, bool close);

/// cpp-httplib between our event loop and our handlers: it parses a framed request's target. One
/// thread at a time.
class Parser {
 public:
  Parser();
  ~Parser();

  /// Has `handler` answer the request.
  Outgoing answer(Exchange exchange, const Handler& handler);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace reel::http
