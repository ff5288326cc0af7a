#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "reel/net/http_client.h"

namespace reel::net {

using Handle = std::unique_ptr<CURL, void (*)(CURL*)>;

/// Before anything else of libcurl's; once is enough, more does no harm.
void start_libcurl();

/// Throws Error(Internal).
Handle open_handle();

/// What all our exchanges have in common.
void set_limits(CURL* handle, const Limits& limits);

struct Received {
  std::string body;
  size_t max_bytes;
};

/// Appends what comes to `received.body`; more than its `max_bytes` is a CURLE_WRITE_ERROR.
void receive_into(CURL* handle, Received& received);

/// Connects to no address that is not public, and says in `refused` that there was one.
void connect_to_public_only(CURL* handle, bool& refused);

}  // namespace reel::net
