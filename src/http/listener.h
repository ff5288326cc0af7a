#pragma once

#include <string>
#include <string_view>

#include "body.h"

namespace reel::http {

/// A socket that listens, without blocking.
struct Listener {
  Descriptor socket;
  int port = 0;
};

/// Binds `host`:`port`; 0 is any free port. A port that is taken: tries the next 42 further on,
/// up to 100 of them, as SGLang does; with `strict`, that is an error.
/// Throws Error(InvalidArgument).
Listener listen_on(const std::string& host, int port, bool strict);

/// Whether only this machine reaches what is bound to `host`.
bool is_loopback(std::string_view host);

/// The address of a connection's other end.
std::string peer_of(int socket);

}  // namespace reel::http
