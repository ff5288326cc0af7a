#include "reel/http/server.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "api.h"
#include "dispatcher.h"
#include "event_loop.h"
#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::http {

struct Server::Running {
  Running(Options options, Services services, ApiKeys keys)
      : api(std::move(options), services, std::move(keys)),
        dispatcher(api),
        connections(services.metrics.gauge("serve_http_connections", "Open connections")) {}

  Api api;
  Dispatcher dispatcher;
  Gauge connections;
  std::optional<EventLoop> loop;
};

Server::Server(Options options, Services services, ApiKeys keys)
    : running_(std::make_unique<Running>(std::move(options), services, std::move(keys))) {}

Server::~Server() { stop(); }

void Server::start() {
  Running& running = *running_;
  const Options& options = running.api.options;
  LoopOptions loop;
  loop.max_connections = options.max_connections;
  loop.quick = Dispatcher::is_quick;
  loop.wants_body = [&running](const Head& head) { return running.dispatcher.wants_body(head); };
  loop.certificate = options.certificate;
  loop.readers = options.threads > 0
                     ? options.threads
                     : static_cast<int>(std::max(2u, std::thread::hardware_concurrency()));
  running.loop.emplace(
      listen_on(options.host, options.port, options.strict_ports), loop,
      [&running](Request& request) { return running.dispatcher.answer(request); },
      [&running](int status, const std::string& message) {
        return running.dispatcher.refuse(status, message);
      },
      [&running](size_t count) { running.connections.set(static_cast<double>(count)); });
  running.api.port = running.loop->port();
  if (!is_loopback(options.host) && running.api.keys()->empty()) {
    log::warning(
        "http.open_to_all",
        {{"host", options.host},
         {"why", "whoever reaches this address may use the server: it asks for no API key"}});
  }
  log::info("http.listening", {{"host", options.host},
                               {"port", running.loop->port()},
                               {"tls", static_cast<bool>(options.certificate)}});
}

int Server::port() const {
  if (!running_->loop) throw Error(ErrorCode::Internal, "http: the server has not been started");
  return running_->loop->port();
}

void Server::use(ApiKeys keys) { running_->api.use(std::move(keys)); }

void Server::use(Certificate certificate) {
  if (running_->loop) running_->loop->use(std::move(certificate));
}

void Server::begin_drain() { running_->api.draining = true; }

void Server::stop() { running_->loop.reset(); }

}  // namespace reel::http
