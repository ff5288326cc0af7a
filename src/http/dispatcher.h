#pragma once

#include <string>

#include "api.h"
#include "cors.h"
#include "gate.h"
#include "reel/base/clock.h"
#include "request_metrics.h"

namespace reel::http {

/// What happens to every request before and after its handler: its id, the gates, the route, the
/// errors as JSON, the counting.
class Dispatcher {
 public:
  explicit Dispatcher(Api& api);

  /// Throws nothing.
  Answer answer(Request& request) const;

  /// Whether it asks for one job's state, as clients do by the thousand: microseconds. (Of a
  /// completed job that looks whether its files are there.)
  static bool is_quick(const Head& head);

  /// Whether a handler would be given it: there is a route, and the client may come.
  bool wants_body(const Head& head) const;

  /// The reply to a request that no handler saw.
  Reply refuse(int status, const std::string& message) const;

 private:
  struct Call {
    std::string id;
    std::string trace;   // traceparent, "" without a good one
    std::string origin;  // "" without one
    std::string route;   // its pattern
    std::string method;
    Stopwatch time;
  };

  Answer route(Request& request, Call& call) const;
  Wait finished_later(Wait wait, Call call) const;
  void finish(Ready& ready, const Call& call) const;
  void finish(Reply& reply, const Call& call) const;

  Api& api_;
  Router router_;
  const Cors cors_;
  const Gate gate_;
  mutable RequestMetrics metrics_;
};

}  // namespace reel::http
