#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "message.h"

namespace reel::http {

/// Which pages of other sites may read our replies: none but those of listed origins.
class Cors {
 public:
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  bool allows(std::string_view origin) const;

  /// What a browser asks before it sends a request of `methods`: answered to a page of a listed
  /// origin.
  std::optional<Reply> preflight(const Request& request, const std::string& methods) const;

  /// Lets a page of `origin`, "" for none, read the reply if it may.
  void open(Reply& reply, const std::string& origin) const;

 private:
  const std::vector<std::string> origins_;
};

}  // namespace reel::http
