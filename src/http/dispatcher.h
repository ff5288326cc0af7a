#pragma once

#include <string>

#include "api.h"
#include "reel/base/clock.h"

namespace reel::http {

/// What happens to every request before and after its handler: its id, the gates, the route, the
/// errors as JSON, the counting.
class Dispatcher {
 public:
  explicit Dispatcher(Api& api);

  /// Throws nothing.
  Answer answer(Request& request) const;

  /// The reply to a request that no handler saw.
  Reply refuse(int status, const std::string& message) const;

 private:
  struct Call {
    std::string id;
    std::string trace;  // traceparent, "" without a good one
    std::string route;  // its pattern
    std::string method;
    Stopwatch time;
  };

  Answer route(Request& request, Call& call) const;
  std::optional<Reply> foreign(const Request& request) const;
  Wait finished_later(Wait wait, Call call) const;
  void finish(Reply& reply, const Call& call) const;

  Api& api_;
  Router router_;
  std::string own_host_;  // when only this machine can reach us: what Host may be, beside localhost
  bool local_ = false;
};

}  // namespace reel::http
