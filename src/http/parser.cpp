#include "parser.h"

#include <fmt/format.h>

#include <utility>

#include "error_reply.h"
#include "stream.h"

namespace reel::http {
namespace {

// Told to clients as `Keep-Alive: timeout=…`; the event loop waits a little longer.
constexpr int kKeepAliveSeconds = 300;

void fill(Reply reply, httplib::Response& response) {
  response.status = reply.status;
  if (!reply.body.empty()) response.set_header("Content-Type", reply.content_type);
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
  response.body = std::move(reply.body);
}

/// The head of `ready` into `response`; what follows it, unless only that was asked for, into
/// `outgoing`.
void fill(Ready ready, std::string_view method, httplib::Response& response, Outgoing& outgoing) {
  const bool whole = method != "HEAD";
  if (auto* reply = std::get_if<Reply>(&ready)) {
    fill(std::move(*reply), response);
  } else if (auto* file = std::get_if<File>(&ready)) {
    fill(file->head, response);
    response.set_header("Content-Type", file->head.content_type);
    response.set_header("Content-Length", std::to_string(file->length));
    if (whole) outgoing.file = std::move(*file);
  } else {
    auto& events = std::get<Events>(ready);
    fill(events.head, response);
    // Told nothing of a length, it writes none: the connection's end is the stream's.
    response.set_content_provider(events.head.content_type,
                                  [](size_t, httplib::DataSink&) { return false; });
    if (!whole) return;
    response.set_header("Connection", "close");
    outgoing.events = std::move(events);
  }
}

}  // namespace

// All is answered in the pre-routing handler: its own routes are a list of std::regex, and the
// body is here already. It is shown the request line only, because it would answer Expect, Range,
// Accept-Encoding and long forms in its own way.
class Parser::Server : public httplib::Server {
 public:
  using Answerer = std::function<void(const httplib::Request&, httplib::Response&)>;

  Server() {
    set_keep_alive_timeout(kKeepAliveSeconds);
    set_keep_alive_max_count(1'000'000);
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      std::exchange(answerer_, nullptr)(request, response);
      return HandlerResponse::Handled;
    });
  }

  /// The bytes of the reply, or nothing if the request line could not be parsed.
  std::string process(std::string_view method, std::string_view target, bool close,
                      Answerer answerer) {
    const auto head = fmt::format("{} {} HTTP/1.1\r\n\r\n", method, target);
    BufferedStream stream(head);
    bool closed = false;
    answerer_ = std::move(answerer);
    process_request(stream, close, closed, nullptr);
    return answerer_ ? std::string() : stream.take_output();
  }

 private:
  Answerer answerer_;  // of the request at hand
};

Parser::Parser() : server_(std::make_unique<Server>()) {}
Parser::~Parser() = default;

Outgoing Parser::answer(Exchange exchange, const Handler& handler) {
  Outgoing outgoing;
  const Head& head = exchange.head;
  const auto answerer = [&](const httplib::Request& parsed, httplib::Response& response) {
    Request request;
    request.method = parsed.method;
    request.path = parsed.path;
    for (const auto& [name, value] : parsed.params) request.query[name] = value;
    request.headers = std::move(exchange.head.headers);
    request.body = std::move(exchange.body);
    request.peer = std::move(exchange.peer);
    Answer answer = handler(request);
    if (auto* ready = std::get_if<Ready>(&answer)) {
      fill(std::move(*ready), request.method, response, outgoing);
    } else {
      outgoing.wait = std::get<Wait>(std::move(answer));
      response.status = 200;
    }
  };
  outgoing.bytes = server_->process(head.method, head.target, !head.keep_alive, answerer);
  if (outgoing.wait) {
    outgoing.bytes.clear();
  } else if (outgoing.bytes.empty()) {
    return write(head.method, error_reply(400, "request line: not understood"), !head.keep_alive);
  }
  return outgoing;
}

Outgoing Parser::write(std::string_view method, Ready ready, bool close) {
  Outgoing outgoing;
  outgoing.bytes = server_->process(method, "/", close, [&](const auto&, auto& response) {
    fill(std::move(ready), method, response, outgoing);
  });
  return outgoing;
}

}  // namespace reel::http
