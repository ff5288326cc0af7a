#include "wire.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

namespace reel::http {
namespace {

constexpr size_t kRecord = SSL3_RT_MAX_PLAIN_LENGTH;

std::unique_ptr<SSL, void (*)(SSL*)> open_tls(const Certificate& certificate, int socket) {
  std::unique_ptr<SSL, void (*)(SSL*)> tls(nullptr, SSL_free);
  if (!certificate) return tls;
  tls.reset(SSL_new(certificate.context()));
  if (!tls || SSL_set_fd(tls.get(), socket) != 1) throw std::bad_alloc();
  SSL_set_accept_state(tls.get());
  return tls;
}

}  // namespace

Wire::Wire(Descriptor socket, const Certificate& certificate)
    : socket_(std::move(socket)),
      tls_(open_tls(certificate, socket_.get())),
      receives_on_(EPOLLIN),
      sends_on_(EPOLLOUT) {}

Wire::~Wire() {
  if (socket_ && tls_) finish();
}

ssize_t Wire::receive(char* to, size_t size) {
  if (tls_ && !begun_) {
    char first;
    const ssize_t got = recv(socket(), &first, 1, MSG_PEEK);
    if (got <= 0) return got;
    begun_ = true;
    // Who speaks plain HTTP is told so in plain HTTP.
    astray_ = first >= 'A' && first <= 'Z';
    if (astray_) tls_.reset();
  }
  if (!tls_) return recv(socket(), to, size, 0);
  ERR_clear_error();
  return result_of(SSL_read(tls_.get(), to, static_cast<int>(size)), receives_on_, EPOLLIN);
}

ssize_t Wire::send(const char* from, size_t size, bool more) {
  if (!tls_) return ::send(socket(), from, size, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  ERR_clear_error();
  const size_t piece = std::min(size, kRecord);
  return result_of(SSL_write(tls_.get(), from, static_cast<int>(piece)), sends_on_, EPOLLOUT);
}

ssize_t Wire::send(File& file, size_t most) {
  ssize_t sent;
  auto offset = static_cast<off_t>(file.offset);
  if (tls_) {
    std::array<char, kRecord> piece;
    const size_t wanted = std::min<uint64_t>({file.length, piece.size(), most});
    const ssize_t got = pread(file.file.get(), piece.data(), wanted, offset);
    if (got <= 0) return got;
    sent = send(piece.data(), static_cast<size_t>(got), false);
  } else {
    sent = sendfile(socket(), file.file.get(), &offset, std::min<uint64_t>(file.length, most));
  }
  if (sent > 0) {
    file.offset += static_cast<uint64_t>(sent);
    file.length -= static_cast<uint64_t>(sent);
  }
  return sent;
}

void Wire::finish() {
  if (tls_ && !broken_ && SSL_is_init_finished(tls_.get())) {
    SSL_shutdown(tls_.get());
    ERR_clear_error();
    broken_ = true;  // to us: nothing follows
  }
  shutdown(socket(), SHUT_WR);
}

ssize_t Wire::result_of(int done, uint32_t& waits_on, uint32_t usual) {
  waits_on = usual;
  if (done > 0) return done;
  switch (SSL_get_error(tls_.get(), done)) {
    case SSL_ERROR_WANT_READ:
      waits_on = EPOLLIN;
      break;
    case SSL_ERROR_WANT_WRITE:
      waits_on = EPOLLOUT;
      break;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      broken_ = true;
      ERR_clear_error();
      errno = EPROTO;
      return -1;
  }
  errno = EAGAIN;
  return -1;
}

}  // namespace reel::http
