#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "message.h"

namespace reel::http {

/// What a route asks for when the server has API keys.
enum class Access { Key, SignedUrl, Open };

/// A table of paths. Longest and oldest do not matter: no path fits two patterns of one method.
class Router {
 public:
  using Route = std::function<Answer(Request&)>;  // may throw Error

  /// `pattern` is a path in which `{name}` stands for one segment and a last `{name*}` for the
  /// rest; what stood there is in Request::args.
  void add(std::string method, std::string pattern, Route route, Access access = Access::Key);

  /// Method and pattern of each.
  std::vector<std::pair<std::string, std::string>> routes() const;

  struct Match {
    const Route* route = nullptr;  // none: no such path, or not with this method
    Access access = Access::Key;
    std::string_view pattern;  // "" if no pattern fits: the label of metrics
    std::vector<std::string> args;
    std::string allow;  // the methods that the path has
  };
  Match match(std::string_view method, std::string_view path) const;

 private:
  struct Entry {
    std::string method, pattern;
    std::vector<std::string> segments;
    Route route;
    Access access;
  };
  std::vector<Entry> entries_;
};

}  // namespace reel::http
