#include "event_loop.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "reel/base/error.h"
#include "reel/base/log.h"

namespace reel::http {
namespace {

constexpr uint64_t kListener = 0, kEvent = 1, kFirstConnection = 2;
constexpr int kQuick = 16;  // of one client, before other connections have their turn
constexpr std::chrono::milliseconds kSweep{100};
constexpr std::chrono::milliseconds kWaits{5};
constexpr std::chrono::milliseconds kEvents{25};

Descriptor checked(int fd, const char* what) {
  if (fd < 0) {
    throw Error(ErrorCode::Internal, fmt::format("{}: {}", what, std::strerror(errno)));
  }
  return Descriptor(fd);
}

}  // namespace

EventLoop::EventLoop(Listener listener, LoopOptions options, Handler handler, Refuse refuse,
                     std::function<void(size_t)> connections)
    : options_(std::move(options)),
      port_(listener.port),
      handler_(std::move(handler)),
      refuse_(std::move(refuse)),
      connections_(std::move(connections)),
      listener_(std::move(listener.socket)),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll")),
      event_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      next_id_(kFirstConnection),
      now_(Clock::now()),
      swept_(now_),
      certificate_(options_.certificate),
      readers_(options_.readers, handler_, [this](Finished done) { post(std::move(done)); }),
      writers_(options_.writers, handler_, [this](Finished done) { post(std::move(done)); }) {
  uint32_t armed = 0;
  if (!arm(event_.get(), kEvent, EPOLLIN, armed) ||
      !arm(listener_.get(), kListener, EPOLLIN, listening_)) {
    throw Error(ErrorCode::Internal, fmt::format("epoll: {}", std::strerror(errno)));
  }
  thread_ = std::jthread([this] { run(); });
}

EventLoop::~EventLoop() {
  stopping_ = true;
  wake();
  thread_.join();
}

void EventLoop::run() {
  // sendfile has no MSG_NOSIGNAL.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);

  std::array<epoll_event, 256> events;
  std::vector<Finished> finished;
  while (!stopping_ || (!entries_.empty() && now_ < stop_at_)) {
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout());
    now_ = Clock::now();
    for (int i = 0; i < count; ++i) on_event(events[size_t(i)].data.u64, events[size_t(i)].events);
    {
      const std::lock_guard lock(mutex_);
      finished.swap(finished_);
    }
    for (Finished& one : finished) on_finished(std::move(one));
    finished.clear();
    if (now_ - swept_ >= between_sweeps()) sweep();
  }
  while (!entries_.empty()) {
    entries_.begin()->second.connection.close();
    settle(entries_.begin());
  }
}

std::chrono::milliseconds EventLoop::between_sweeps() const {
  if (waits_ > 0) return kWaits;
  return followers_ > 0 ? kEvents : kSweep;
}

int EventLoop::timeout() const {
  const auto left = swept_ + between_sweeps() - now_;
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::max<int64_t>(count, 0));
}

// False if the system has no room for it.
bool EventLoop::arm(int socket, uint64_t id, uint32_t events, uint32_t& armed) {
  if (events == armed) return true;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  // A connection stays registered from its first events on; to want none is allowed.
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event) != 0 &&
      (errno != ENOENT || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0)) {
    return false;
  }
  armed = events;
  return true;
}

void EventLoop::use(Certificate certificate) {
  const std::lock_guard lock(mutex_);
  certificate_ = std::move(certificate);
}

Certificate EventLoop::certificate() {
  const std::lock_guard lock(mutex_);
  return certificate_;
}

void EventLoop::accept_all() {
  const Certificate certificate = this->certificate();
  while (entries_.size() < options_.max_connections) {
    Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno == ECONNABORTED || errno == EINTR) continue;
      break;  // no descriptors left
    }
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto peer = peer_of(socket.get());
    const auto at = entries_
                        .emplace(next_id_++, Entry{Connection(Wire(std::move(socket), certificate),
                                                              std::move(peer), options_.connection),
                                                   {}})
                        .first;
    connections_(entries_.size());
    settle(at);
  }
  log::warning("http.accept_paused", {{"connections", entries_.size()}});
  arm(listener_.get(), kListener, 0, listening_);
}

void EventLoop::on_event(uint64_t id, uint32_t events) {
  if (id == kListener) return stopping_ ? void() : accept_all();
  if (id == kEvent) {
    uint64_t count = 0;
    (void)!read(event_.get(), &count, sizeof count);
    return;
  }
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  Connection& connection = at->second.connection;
  if (events & (EPOLLERR | EPOLLHUP)) {
    connection.close();
  } else {
    connection.proceed(events, now_);
    take_requests(id, at->second);
  }
  settle(at);
}

void EventLoop::take_requests(uint64_t id, Entry& entry) {
  try {
    for (int quick = 0; auto exchange = entry.connection.take(now_, options_.wants_body); ++quick) {
      Head& head = exchange->head;
      if (stopping_) head.keep_alive = false;
      if (quick == kQuick || !options_.quick(head)) {
        return (head.has_body() ? writers_ : readers_).add({id, *std::move(exchange)});
      }
      deliver(entry, parser_.answer(*std::move(exchange), handler_));
    }
  } catch (const FramingFault& fault) {
    refuse(entry, fault.status(), fault.what());
  } catch (const Error& error) {
    refuse(entry, error.code() == ErrorCode::StorageFull ? 507 : 500, error.what());
  }
}

void EventLoop::refuse(Entry& entry, int status, const std::string& message) {
  entry.connection.send(written(entry.connection.method(), refuse_(status, message), true),
                        Connection::Then::Close, now_);
}

void EventLoop::on_finished(Finished finished) {
  const auto at = entries_.find(finished.connection);
  auto& wait = finished.outgoing.wait;
  auto& events = finished.outgoing.events;
  if (at == entries_.end()) {
    if (wait) writers_.add({finished.connection, Task::Gone{std::move(wait->gone)}});
    if (events) writers_.add({finished.connection, Task::Gone{std::move(events->gone)}});
    return;
  }
  Entry& entry = at->second;
  if (entry.asked) --waits_;
  entry.asked = false;
  deliver(entry, std::move(finished.outgoing));
  take_requests(finished.connection, entry);
  settle(at);
}

void EventLoop::deliver(Entry& entry, Outgoing outgoing) {
  Connection& connection = entry.connection;
  using Then = Connection::Then;
  if (outgoing.wait) {
    ++waits_;
    entry.ask_at = now_ + outgoing.wait->period;
    entry.wait = std::move(outgoing.wait);
  } else if (outgoing.events) {
    if (!entry.follows) ++followers_;
    entry.follows = true;
    entry.events = std::move(outgoing.events);
    connection.send(std::move(outgoing), Then::More, now_);
  } else {
    const bool close = stopping_ || entry.follows || !connection.keep_alive();
    connection.send(std::move(outgoing), close ? Then::Close : Then::KeepAlive, now_);
  }
}

void EventLoop::sweep() {
  swept_ = now_;
  if (stopping_ && stop_at_ == Clock::time_point::max()) {
    stop_at_ = now_ + options_.stop_grace;
    listener_.reset();
  }
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto next = std::next(at);
    Entry& entry = at->second;
    Connection& connection = entry.connection;
    if (entry.wait && now_ >= entry.ask_at) {
      entry.asked = true;
      readers_.add({at->first, Task::Poll{*std::exchange(entry.wait, std::nullopt),
                                          connection.method(), !connection.keep_alive()}});
    }
    if (entry.events && connection.answering()) {
      if (entry.events->ready()) {
        readers_.add({at->first, Task::Next{*std::exchange(entry.events, std::nullopt)}});
      } else if (stopping_) {
        connection.close();  // it was told everything
      }
    }
    const auto expired = connection.expired(now_);
    if (expired == Connection::Expired::Connection || (stopping_ && connection.idle())) {
      connection.close();
    } else if (expired == Connection::Expired::Request) {
      refuse(entry, 408, "the request came too slowly");
    }
    settle(at);
    at = next;
  }
  if (listener_ && entries_.size() < options_.max_connections) {
    arm(listener_.get(), kListener, EPOLLIN, listening_);  // if it was paused
  }
}

// After every step: forgets a connection that is over, else watches what it wants watched.
void EventLoop::settle(Entries::iterator at) {
  Entry& entry = at->second;
  Connection& connection = entry.connection;
  // To a client that waits for minutes, hanging up means that it no longer does.
  if ((entry.wait || entry.events) && connection.hung_up()) connection.close();
  if (!connection.closed() &&
      arm(connection.socket(), at->first, connection.interest(), connection.armed)) {
    return;
  }
  if (entry.wait) {
    --waits_;
    writers_.add({at->first, Task::Gone{std::move(entry.wait->gone)}});
  } else if (entry.asked) {
    --waits_;
  }
  if (entry.events) writers_.add({at->first, Task::Gone{std::move(entry.events->gone)}});
  if (entry.follows) --followers_;
  entries_.erase(at);
  connections_(entries_.size());
}

void EventLoop::post(Finished finished) {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = finished_.empty();
    finished_.push_back(std::move(finished));
  }
  if (first) wake();
}

void EventLoop::wake() {
  const uint64_t one = 1;
  (void)!write(event_.get(), &one, sizeof one);
}

}  // namespace reel::http
