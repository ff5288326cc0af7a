#include "connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace reel::http {
namespace {

constexpr size_t kReadAhead = 64 << 10;  // bytes of later requests that are taken in advance
constexpr size_t kTurn = 128 << 10;      // bytes sent before other connections have their turn

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// A parked connection should cost little.
void shed(std::string& buffer) {
  if (buffer.capacity() > (16 << 10)) std::string().swap(buffer);
}

bool would_block(ssize_t result) {
  return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

}  // namespace

Connection::Connection(Wire wire, std::string peer, const ConnectionLimits& limits)
    : limits_(&limits),
      wire_(std::move(wire)),
      peer_(std::move(peer)),
      since_(Clock::now()),
      scanner_(limits.framing) {}

void Connection::proceed(uint32_t events, Clock::time_point now) {
  if (events & wire_.receives_on()) receive(now);
  if (events & wire_.sends_on()) flush(now);
}

void Connection::receive(Clock::time_point now) {
  std::array<char, 16 << 10> buffer;
  while (!hung_up_ && state_ != State::Closed && in_.size() < kReadAhead) {
    const ssize_t got = wire_.receive(buffer.data(), buffer.size());
    if (would_block(got)) return;
    if (got < 0) return close();
    if (got == 0) {
      hung_up_ = true;
      if (state_ == State::Lingering) close();
      return;
    }
    if (state_ == State::Lingering) continue;  // nobody reads it any more
    if (idle() && !fresh_) since_ = now;
    in_.append(buffer.data(), static_cast<size_t>(got));
    if (static_cast<size_t>(got) < buffer.size()) return;
  }
}

std::optional<Exchange> Connection::take(Clock::time_point now, const WantsBody& wants_body) {
  if (state_ != State::Reading) return std::nullopt;
  if (!head_) {
    method_ = "GET";
    keep_alive_ = false;
    if (wire_.astray()) throw FramingFault(400, "tls: this port speaks TLS alone: use https://");
    const auto length = scanner_.scan(in_);
    if (!length) {
      if (hung_up_) close();
      return std::nullopt;
    }
    head_ = parse_head(std::string_view(in_).substr(0, *length), limits_->framing);
    in_.erase(0, *length);
    scanner_ = HeadScanner(limits_->framing);
    body_ = Body(limits_->spool_dir);
    body_left_ = head_->content_length.value_or(0);
    if (head_->chunked) chunks_.emplace(limits_->framing);
    since_ = now;
    const bool is_here = !chunks_ && body_left_ <= in_.size();
    if (!is_here && !wants_body(*head_)) {
      head_->keep_alive = false;  // what follows is no request
      return exchange();
    }
    if (head_->expects_continue && !is_here && in_.empty()) {
      out_ += "HTTP/1.1 100 Continue\r\n\r\n";
      flush(now);
    }
  }
  std::string_view bytes = in_;
  const bool whole = read_body(bytes);
  in_.erase(0, in_.size() - bytes.size());
  if (whole) return exchange();
  if (hung_up_) close();
  return std::nullopt;
}

Exchange Connection::exchange() {
  state_ = State::Answering;
  fresh_ = false;
  method_ = head_->method;
  keep_alive_ = head_->keep_alive;
  chunks_.reset();
  Exchange made{*std::move(head_), std::move(body_), peer_};
  head_.reset();
  return made;
}

bool Connection::read_body(std::string_view& bytes) {
  if (chunks_) {
    for (auto piece = chunks_->next(bytes); !piece.empty(); piece = chunks_->next(bytes)) {
      body_.append(piece);
    }
    return chunks_->done();
  }
  const auto piece = bytes.substr(0, std::min<uint64_t>(body_left_, bytes.size()));
  body_.append(piece);
  bytes.remove_prefix(piece.size());
  body_left_ -= piece.size();
  return body_left_ == 0;
}

void Connection::send(Outgoing outgoing, Then then, Clock::time_point now) {
  state_ = State::Sending;
  then_ = then;
  since_ = now;
  if (out_.empty()) {
    out_ = std::move(outgoing.bytes);
  } else {
    out_ += outgoing.bytes;
  }
  file_ = std::move(outgoing.file);
  flush(now);
}

void Connection::flush(Clock::time_point now) {
  size_t turn = kTurn;
  while (sending() && turn > 0 && state_ != State::Closed) {
    ssize_t sent;
    if (out_at_ < out_.size()) {
      sent = wire_.send(out_.data() + out_at_, std::min(out_.size() - out_at_, turn),
                        file_ && file_->length > 0);
      if (sent > 0) out_at_ += static_cast<size_t>(sent);
    } else if (file_->length == 0) {
      file_.reset();
      continue;
    } else {
      sent = wire_.send(*file_, turn);
    }
    if (would_block(sent)) return;
    if (sent <= 0) return close();  // gone, or the file is shorter than it was
    turn -= static_cast<size_t>(sent);
    since_ = now;
  }
  if (!sending()) sent_all(now);
}

void Connection::sent_all(Clock::time_point now) {
  out_.clear();
  out_at_ = 0;
  if (state_ != State::Sending) return;
  since_ = now;
  shed(out_);
  if (in_.empty()) shed(in_);
  if (then_ == Then::More) {
    state_ = State::Answering;
  } else if (then_ == Then::KeepAlive) {
    state_ = State::Reading;
  } else if (hung_up_) {
    close();
  } else {
    // Closing with unread bytes would reset the connection, and the reply with it.
    wire_.finish();
    state_ = State::Lingering;
    in_.clear();
  }
}

Connection::Expired Connection::expired(Clock::time_point now) const {
  const auto waited = now - since_;
  switch (state_) {
    case State::Reading:
      if (sending()) break;
      if (head_) {
        const bool slow = static_cast<double>(body_.size()) <
                          seconds(waited) * static_cast<double>(limits_->body_rate);
        return waited > limits_->body_grace && slow ? Expired::Request : Expired::No;
      }
      if (in_.empty()) {
        return waited > (fresh_ ? limits_->header : limits_->idle) ? Expired::Connection
                                                                   : Expired::No;
      }
      return waited > limits_->header ? Expired::Request : Expired::No;
    case State::Sending:
      break;
    case State::Lingering:
      return waited > limits_->linger ? Expired::Connection : Expired::No;
    case State::Answering:
    case State::Closed:
      return Expired::No;
  }
  return waited > limits_->send_stall ? Expired::Connection : Expired::No;
}

uint32_t Connection::interest() const {
  uint32_t events = 0;
  if (!hung_up_ && (in_.size() < kReadAhead || state_ == State::Lingering)) {
    events |= wire_.receives_on();
  }
  if (sending()) events |= wire_.sends_on();
  return events;
}

}  // namespace reel::http
