#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "framing.h"
#include "parser.h"
#include "wire.h"

namespace reel::http {

using Clock = std::chrono::steady_clock;

struct ConnectionLimits {
  FramingLimits framing;
  std::chrono::milliseconds header{10'000};  // from the first byte of a head to its last, or from
                                             // accepting to the end of the first head
  std::chrono::milliseconds body_grace{10'000};  // then a body must come at body_rate on average
  uint64_t body_rate = 1024;                     // bytes a second
  std::chrono::milliseconds send_stall{30'000};  // without a byte taken by the client
  std::chrono::milliseconds idle{310'000};       // between two requests; aiperf parks 300 s
  std::chrono::milliseconds linger{2'000};       // after our last byte, for the client to read it
  std::filesystem::path spool_dir = std::filesystem::temp_directory_path();
};

/// One client's connection: a state machine around a socket that never blocks. Only the event
/// loop's thread touches it.
class Connection {
 public:
  Connection(Wire wire, std::string peer, const ConnectionLimits& limits);

  /// Takes what has arrived into memory, within bounds, and sends what the socket takes now: as far
  /// as these epoll events tell of it.
  void proceed(uint32_t events, Clock::time_point now);

  using WantsBody = std::function<bool(const Head&)>;

  /// The next request, when it is whole and the one before it has been answered; one whose body is
  /// neither wanted nor here comes without, and is the connection's last.
  /// Throws FramingFault, Error.
  std::optional<Exchange> take(Clock::time_point now, const WantsBody& wants_body);

  /// What follows the bytes of an answer: the next request, more of the answer, or nothing.
  enum class Then { KeepAlive, More, Close };

  /// The answer to what take() gave, or the next piece of it.
  void send(Outgoing outgoing, Then then, Clock::time_point now);

  enum class Expired { No, Request, Connection };
  /// Whether a limit has run out: of reading a request (answer 408), or of waiting for the client.
  Expired expired(Clock::time_point now) const;

  bool closed() const { return state_ == State::Closed; }
  bool hung_up() const { return hung_up_; }
  bool answering() const { return state_ == State::Answering; }
  bool idle() const { return state_ == State::Reading && !head_ && in_.empty(); }
  const std::string& method() const { return method_; }
  bool keep_alive() const { return keep_alive_; }
  int socket() const { return wire_.socket(); }
  void close() { state_ = State::Closed; }

  uint32_t interest() const;  // epoll events
  uint32_t armed = 0;         // those that the event loop asked for

 private:
  enum class State { Reading, Answering, Sending, Lingering, Closed };

  void receive(Clock::time_point now);
  void flush(Clock::time_point now);
  bool read_body(std::string_view& bytes);
  Exchange exchange();
  void sent_all(Clock::time_point now);
  bool sending() const { return out_at_ < out_.size() || file_; }

  const ConnectionLimits* limits_;
  Wire wire_;
  std::string peer_;
  State state_ = State::Reading;
  Clock::time_point since_;  // when what is waited for now began; of sending: the last progress
  bool fresh_ = true;        // no request yet
  bool hung_up_ = false;     // the client sends no more

  std::string in_;  // received, not yet consumed
  HeadScanner scanner_;
  std::optional<Head> head_;  // of the request whose body is being read
  std::optional<ChunkDecoder> chunks_;
  Body body_;
  uint64_t body_left_ = 0;

  std::string method_ = "GET";  // of the request being answered
  bool keep_alive_ = false;
  Then then_ = Then::Close;

  std::string out_;
  size_t out_at_ = 0;
  std::optional<File> file_;  // after out_
};

}  // namespace reel::http
