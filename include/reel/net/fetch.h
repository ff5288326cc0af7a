#pragma once

#include <string>

#include "reel/net/http_client.h"

namespace reel::net {

enum class Reach { Nothing, Public, Everything };

/// What `url` names. A few redirects are followed, each judged as the first: with Reach::Public its
/// name must resolve to a public address, and no other is connected to.
///
/// Throws Error with param `field`: InvalidArgument for a URL that is not reached or answers
/// anything but 200, TooLarge past the limit.
std::string fetch(const std::string& url, Reach reach, const Limits& limits,
                  const std::string& field);

}  // namespace reel::net
