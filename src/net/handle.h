#pragma once

#include <curl/curl.h>

#include <memory>

#include "reel/net/http_client.h"

namespace reel::net {

using Handle = std::unique_ptr<CURL, void (*)(CURL*)>;

/// Before anything else of libcurl's; once is enough, more does no harm.
void start_libcurl();

/// Throws Error(Internal).
Handle open_handle();

/// What all our exchanges have in common.
void set_limits(CURL* handle, const Limits& limits);

/// Connects to no address that is not public, and says in `refused` that there was one.
void connect_to_public_only(CURL* handle, bool& refused);

}  // namespace reel::net
