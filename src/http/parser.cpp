#include "parser.h"

#include <fmt/format.h>

#include <utility>

#include "error_reply.h"
#include "stream.h"

namespace reel::http {

// Its own routes are a list of std::regex, and the body is here already: what it parsed is taken in
// its pre-routing handler. It is shown the request line only, because it would answer Expect,
// Range, Accept-Encoding and long forms in its own way.
class Parser::Server : public httplib::Server {
 public:
  Server() {
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response&) {
      parsed_ = request;
      return HandlerResponse::Handled;
    });
  }

  /// Nothing if it is not understood.
  std::optional<httplib::Request> parse(std::string_view method, std::string_view target) {
    const auto head = fmt::format("{} {} HTTP/1.1\r\n\r\n", method, target);
    BufferedStream stream(head);
    bool closed = false;
    process_request(stream, true, closed, nullptr);
    return std::exchange(parsed_, std::nullopt);
  }

 private:
  std::optional<httplib::Request> parsed_;
};

Parser::Parser() : server_(std::make_unique<Server>()) {}
Parser::~Parser() = default;

Outgoing Parser::answer(Exchange exchange, const Handler& handler) {
  const Head& head = exchange.head;
  const bool close = !head.keep_alive;
  Request request;
  request.method = head.method;
  if (head.target.find_first_of("?%") == head.target.npos) {
    request.path = head.target;  // as it is
  } else if (auto parsed = server_->parse(head.method, head.target)) {
    request.path = std::move(parsed->path);
    for (auto& [name, value] : parsed->params) request.query[name] = std::move(value);
  } else {
    return written(head.method, error_reply(400, "request line: not understood"), close);
  }
  request.headers = std::move(exchange.head.headers);
  request.body = std::move(exchange.body);
  request.peer = std::move(exchange.peer);
  return written(head.method, handler(request), close);
}

}  // namespace reel::http
