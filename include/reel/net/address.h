#pragma once

#include <string>

struct sockaddr;

namespace reel::net {

/// Whether it is a public address of the Internet: none of this machine, of a private network, or
/// of those that stand for another.
bool is_public(const sockaddr& address);

/// Throws Error(InvalidArgument) with param `field` unless `url` is http or https, without a user.
/// With `public_only`, it must not name what is_public() denies either: as a number in whatever
/// spelling, or as localhost. What its name resolves to is found out later.
void check_url(const std::string& url, bool public_only, const std::string& field);

}  // namespace reel::net
