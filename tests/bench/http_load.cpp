#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

// Thousands of clients of one server on one thread. How long a reply takes counts from when its
// request was due: a server that answers late does not get fewer requests, and no mercy.
//
// Reads from stdin {"port", "seconds", "loads": [{"kind", "count", "every_s", "paths"}]} and writes
// what each load met. Kinds, each client on a connection of its own:
//   poll      asks for its path every `every_s`; 0: again at once
//   idle      asks once, all within half a second
//   watch     follows server-sent events; `ms` is how long after the first watcher it had each
//   trickle   sends a byte of an endless head every `every_s`, and comes again when it is refused
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kSettle = 500ms;        // for the server to accept them all
constexpr auto kGrace = 5s;            // after the end, for replies that are due
constexpr uint64_t kTurn = 256 << 10;  // bytes read before other clients have their turn

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

struct Load {
  std::string kind;
  Clock::duration every;
  std::vector<double> ms;
  uint64_t errors = 0, unanswered = 0, reconnects = 0, bytes = 0;
  std::unordered_map<std::string, Clock::time_point> events{};  // id, when the first one had it
};

struct Client {
  Load& load;
  std::string request;
  Clock::time_point due{};
  int socket = -1;
  uint32_t watched = 0;  // events
  size_t unsent = 0;     // of the request's end
  bool asked = false, in_body = false, closes = false;
  std::string in{};
  uint64_t left = 0;  // of the body
  uint64_t replies = 0;
  size_t trickled = 0;

  bool is(std::string_view kind) const { return load.kind == kind; }
};

class Clients {
 public:
  explicit Clients(const json& spec)
      : port_(spec.at("port")), seconds_(spec.at("seconds").get<double>()) {
    for (const json& one : spec.at("loads")) add(one);
  }
  ~Clients() {
    for (const auto& client : clients_) close(client->socket);
  }
  Clients(const Clients&) = delete;

  json run();

 private:
  using Due = std::pair<Clock::time_point, Client*>;

  void add(const json& spec);
  void connect(Client& client, bool wait);
  void watch_for(Client& client, uint32_t events, int what);
  void again(Client& client, bool failed);
  void on_due(Client& client);
  void flush(Client& client);
  void receive(Client& client);
  bool read_head(Client& client);
  void read_events(Client& client, Clock::time_point now);
  void replied(Client& client);
  json found(const Load& load) const;

  const int port_;
  const std::chrono::duration<double> seconds_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::deque<Load> loads_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Clock::time_point end_;
  size_t waiting_ = 0;  // for replies
};

void Clients::add(const json& spec) {
  const std::chrono::duration<double> every(spec.value("every_s", 0.0));
  loads_.push_back({spec.at("kind"), std::chrono::duration_cast<Clock::duration>(every), {}});
  const json& paths = spec.at("paths");
  for (size_t i = 0; i < spec.at("count"); ++i) {
    const auto path = paths.at(i % paths.size()).get<std::string>();
    auto client = std::make_unique<Client>(loads_.back(), "GET " + path + " HTTP/1.1\r\n");
    client->request += client->is("trickle") ? "X: " : "Host: localhost\r\n\r\n";
    clients_.push_back(std::move(client));
  }
}

void Clients::connect(Client& client, bool wait) {
  const int kind = SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK);
  client.socket = socket(AF_INET, kind, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  if (client.socket < 0 ||
      (::connect(client.socket, to, sizeof address) != 0 && errno != EINPROGRESS)) {
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  watch_for(client, EPOLLIN, EPOLL_CTL_ADD);
}

void Clients::watch_for(Client& client, uint32_t events, int what) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &client;
  epoll_ctl(epoll_, what, client.socket, &event);
  client.watched = events;
}

// With a new connection.
void Clients::again(Client& client, bool failed) {
  close(client.socket);
  if (failed) ++client.load.errors;
  ++client.load.reconnects;
  if (client.asked && !client.is("watch")) --waiting_;
  client.asked = client.in_body = client.closes = false;
  client.unsent = client.trickled = 0;
  client.in.clear();
  connect(client, false);
  if (failed) due_.emplace(client.due += std::max<Clock::duration>(client.load.every, 1s), &client);
}

void Clients::on_due(Client& client) {
  if (client.is("trickle")) {
    const char byte =
        client.trickled < client.request.size() ? client.request[client.trickled] : 'x';
    if (send(client.socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) ++client.trickled;
    due_.emplace(client.due += client.load.every, &client);
    return;
  }
  client.asked = true;
  client.unsent = client.request.size();
  if (!client.is("watch")) ++waiting_;
  flush(client);
}

void Clients::flush(Client& client) {
  const char* const from = client.request.data() + client.request.size() - client.unsent;
  const ssize_t sent = send(client.socket, from, client.unsent, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) client.unsent -= static_cast<size_t>(sent);
  const uint32_t events = client.unsent > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (events != client.watched) watch_for(client, events, EPOLL_CTL_MOD);
}

void Clients::receive(Client& client) {
  std::array<char, 64 << 10> buffer;
  for (const uint64_t end = client.load.bytes + kTurn; client.load.bytes < end;) {
    // Who only counts a body need not copy it.
    const bool counts = client.in_body && !client.is("watch");
    const size_t most = counts ? std::min(client.left, kTurn) : buffer.size();
    const ssize_t got = recv(client.socket, counts ? nullptr : buffer.data(), most,
                             MSG_DONTWAIT | (counts ? MSG_TRUNC : 0));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return again(client, client.asked || client.is("idle"));
    client.load.bytes += static_cast<uint64_t>(got);
    if (client.is("trickle")) continue;
    if (counts) {
      client.left -= static_cast<uint64_t>(got);
    } else {
      client.in.append(buffer.data(), static_cast<size_t>(got));
      if (!client.in_body && !read_head(client)) return;
    }
    if (client.is("watch")) {
      read_events(client, Clock::now());
    } else if (client.in_body && client.left == 0) {
      return replied(client);
    }
  }
}

// False if it is not whole yet, or not one of a good reply.
bool Clients::read_head(Client& client) {
  const size_t end = client.in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = client.in.substr(0, end + 2);
  client.in.erase(0, end + 4);
  if (!client.asked || !head.starts_with("HTTP/1.1 200 ")) {
    again(client, true);
    return false;
  }
  client.in_body = true;
  client.closes = head.find("\r\nConnection: close\r\n") != std::string::npos;
  if (client.is("watch")) return true;
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const size_t length = head.find(kLength);
  client.left = length == std::string::npos ? 0 : std::stoull(head.substr(length + kLength.size()));
  client.left -= std::min<uint64_t>(client.left, client.in.size());
  client.in.clear();
  return true;
}

void Clients::read_events(Client& client, Clock::time_point now) {
  size_t at = 0;
  for (size_t end; (end = client.in.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = client.in.substr(at, end - at);
    if (!line.starts_with("id: ")) continue;
    const auto first = client.load.events.emplace(line, now).first->second;
    client.load.ms.push_back(milliseconds(now - first));
    ++client.replies;
  }
  client.in.erase(0, at);
}

void Clients::replied(Client& client) {
  ++client.replies;
  client.load.ms.push_back(milliseconds(Clock::now() - client.due));
  --waiting_;
  client.asked = client.in_body = false;
  if (client.closes) again(client, false);
  if (client.is("idle")) return;
  client.due = client.load.every > 0s ? client.due + client.load.every : Clock::now();
  due_.emplace(client.due, &client);
}

json Clients::run() {
  for (const auto& client : clients_) connect(*client, true);
  const auto start = Clock::now() + kSettle;
  end_ = start + std::chrono::duration_cast<Clock::duration>(seconds_);
  std::unordered_map<const Load*, std::pair<size_t, size_t>> places;  // next, of how many
  for (const auto& client : clients_) ++places[&client->load].second;
  for (const auto& client : clients_) {
    auto& [place, count] = places[&client->load];
    const auto over = client->load.every > 0s ? client->load.every : 500ms;
    client->due = start + over * place++ / count;
    due_.emplace(client->due, client.get());
  }
  std::array<epoll_event, 512> events;
  for (auto now = Clock::now(); now < end_ || (waiting_ > 0 && now < end_ + kGrace);
       now = Clock::now()) {
    while (now < end_ && !due_.empty() && due_.top().first <= now) {
      Client& client = *due_.top().second;
      due_.pop();
      on_due(client);
    }
    const auto next = now >= end_    ? now + 10ms
                      : due_.empty() ? end_
                                     : std::min(end_, due_.top().first);
    const auto left = std::max<Clock::duration>(next - Clock::now(), 0s);
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    const timespec timeout{whole.count(), std::chrono::nanoseconds(left - whole).count()};
    const int count = epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      Client& client = *static_cast<Client*>(events[static_cast<size_t>(i)].data.ptr);
      if (client.unsent > 0) flush(client);
      receive(client);
    }
  }
  for (const auto& client : clients_) {
    if (!client->asked || client->is("watch")) continue;
    client->load.ms.push_back(milliseconds(Clock::now() - client->due));  // or more
    if (client->load.every > 0s) ++client->load.unanswered;
  }
  json all = json::array();
  for (const Load& load : loads_) all.push_back(found(load));
  return all;
}

json Clients::found(const Load& load) const {
  std::vector<double> ms = load.ms;
  std::sort(ms.begin(), ms.end());
  const auto quantile = [&](double share) {
    return ms.empty() ? json() : json(ms[static_cast<size_t>(share * double(ms.size() - 1))]);
  };
  uint64_t replies = 0, least = UINT64_MAX;
  for (const auto& client : clients_) {
    if (&client->load != &load) continue;
    replies += client->replies;
    least = std::min(least, client->replies);
  }
  return {{"kind", load.kind},
          {"replies", replies},
          {"fewest", least},  // of one client
          {"errors", load.errors},
          {"unanswered", load.unanswered},
          {"reconnects", load.reconnects},
          {"bytes", load.bytes},
          {"ms", {{"median", quantile(0.5)}, {"p99", quantile(0.99)}, {"most", quantile(1)}}}};
}

}  // namespace

int main() try {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::cout << Clients(json::parse(std::cin)).run().dump() << '\n';
} catch (const std::exception& fault) {
  std::cerr << "http_load: " << fault.what() << '\n';
  return 1;
}
