#pragma once

#include <optional>
#include <set>
#include <string>

#include "api.h"
#include "cors.h"

namespace reel::http {

/// Who is let in: by the name that they call us, by the page that they come from, by their key.
class Gate {
 public:
  /// Both outlive it.
  Gate(const Api& api, const Cors& cors);

  /// Why the request is not let in; nothing if it is, and then its owner is known.
  std::optional<Reply> refusal(Request& request, Access access) const;

 private:
  std::optional<Reply> foreign(const Request& request) const;
  std::optional<Reply> unknown(Request& request, Access access) const;

  const Api& api_;
  const Cors& cors_;
  std::set<std::string> names_;  // what Host may be; none: anything
};

}  // namespace reel::http
