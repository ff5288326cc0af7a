#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "connection.h"
#include "listener.h"
#include "reel/http/certificate.h"
#include "workers.h"

namespace reel::http {

struct LoopOptions {
  ConnectionLimits connection;
  size_t max_connections = 16'000;
  int readers = 2;  // threads for other requests without a body, and waits
  int writers = 4;  // threads for requests with one: they may fetch and decode pictures
  /// Requests whose handler is quicker than another thread would be to begin: it runs on the
  /// loop's.
  std::function<bool(const Head&)> quick = [](const Head&) { return false; };
  /// Whether a handler would look at the body; else it is not even read.
  Connection::WantsBody wants_body = [](const Head&) { return true; };
  Certificate certificate = {};                 // for TLS; none: in the clear
  std::chrono::milliseconds stop_grace{5'000};  // for replies under way when it is stopped
};

/// All connections on one thread and one epoll. Requests go to workers when they are whole, but for
/// quick ones, and come back as bytes; between requests, and while an answer is waited for, a
/// connection costs its memory only.
class EventLoop {
 public:
  /// Makes the reply to a request that was refused before a handler saw it.
  using Refuse = std::function<Reply(int status, const std::string& message)>;

  /// Begins at once. `connections` is told how many there are.
  EventLoop(Listener listener, LoopOptions options, Handler handler, Refuse refuse,
            std::function<void(size_t)> connections);

  /// Takes no more connections, lets replies under way finish, and ends.
  ~EventLoop();

  int port() const { return port_; }

  /// For the connections from now on. Any thread.
  void use(Certificate certificate);

 private:
  struct Entry {
    Connection connection;
    std::optional<Wait> wait;  // at rest; a worker has it while it is being asked
    bool asked = false;
    std::optional<Events> events{};  // as `wait`
    bool follows = false;            // it has or had events: they end with the connection
    Clock::time_point ask_at{};
  };
  using Entries = std::unordered_map<uint64_t, Entry>;

  void run();
  std::chrono::milliseconds between_sweeps() const;
  int timeout() const;
  void accept_all();
  Certificate certificate();
  void on_event(uint64_t id, uint32_t events);
  void on_finished(Finished finished);
  void take_requests(uint64_t id, Entry& entry);
  void deliver(Entry& entry, Outgoing outgoing);
  void refuse(Entry& entry, int status, const std::string& message);
  void sweep();
  void settle(Entries::iterator at);
  bool arm(int socket, uint64_t id, uint32_t events, uint32_t& armed);
  void post(Finished finished);
  void wake();

  const LoopOptions options_;
  const int port_;
  const Handler handler_;
  const Refuse refuse_;
  const std::function<void(size_t)> connections_;
  Descriptor listener_, epoll_, event_;
  uint32_t listening_ = 0;  // what epoll watches of the listener
  Parser parser_;           // of quick requests
  Entries entries_;
  uint64_t next_id_;
  size_t waits_ = 0, followers_ = 0;
  Clock::time_point now_, swept_;
  Clock::time_point stop_at_ = Clock::time_point::max();

  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Finished> finished_;
  Certificate certificate_;

  Workers readers_, writers_;
  std::jthread thread_;
};

}  // namespace reel::http
