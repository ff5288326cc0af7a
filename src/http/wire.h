#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

#include "message.h"
#include "reel/http/certificate.h"

struct ssl_st;

namespace reel::http {

/// The bytes from and to one client, in the clear or in TLS, over a socket that never blocks. What
/// functions return and leave in errno is recv(2)'s and send(2)'s, EAGAIN where TLS has to wait.
class Wire {
 public:
  /// In the clear if there is no certificate.
  Wire(Descriptor socket, const Certificate& certificate);
  ~Wire();
  Wire(Wire&&) = default;

  ssize_t receive(char* to, size_t size);

  /// `more` follows at once.
  ssize_t send(const char* from, size_t size, bool more);

  /// Up to `most` bytes of the file, which it moves on in.
  ssize_t send(File& file, size_t most);

  /// Tells the client that nothing follows.
  void finish();

  /// The epoll events that receive() and send() wait for.
  uint32_t receives_on() const { return receives_on_; }
  uint32_t sends_on() const { return sends_on_; }

  /// The client speaks no TLS where it should: what is sent goes in the clear.
  bool astray() const { return astray_; }

  int socket() const { return socket_.get(); }

 private:
  ssize_t result_of(int done, uint32_t& waits_on, uint32_t usual);

  Descriptor socket_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> tls_;
  bool begun_ = false;  // its first bytes were TLS
  bool broken_ = false;
  bool astray_ = false;
  uint32_t receives_on_, sends_on_;
};

}  // namespace reel::http
