#pragma once

#include <optional>
#include <string>

#include "api.h"

namespace reel::http {

/// Who is let in: by the name that they call us, by the page that they come from, by their key.
class Gate {
 public:
  explicit Gate(const Api& api);

  /// Why the request is not let in; nothing if it is, and then its owner is known.
  std::optional<Reply> refusal(Request& request, Access access) const;

 private:
  std::optional<Reply> foreign(const Request& request) const;
  std::optional<Reply> unknown(Request& request, Access access) const;

  const Api& api_;
  std::string own_host_;  // when only this machine can reach us: what Host may be, beside localhost
  bool local_ = false;
};

}  // namespace reel::http
