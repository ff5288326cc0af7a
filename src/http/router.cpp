#include "router.h"

#include <optional>
#include <utility>

namespace reel::http {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  for (path.remove_prefix(1);; path.remove_prefix(segments.back().size() + 1)) {
    segments.emplace_back(path.substr(0, path.find('/')));
    if (segments.back().size() == path.size()) return segments;
  }
}

std::optional<std::vector<std::string>> fit(const std::vector<std::string>& pattern,
                                            const std::vector<std::string>& path) {
  std::vector<std::string> args;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (i >= path.size()) return std::nullopt;
    if (pattern[i].ends_with("*}")) {
      std::string rest = path[i];
      for (size_t j = i + 1; j < path.size(); ++j) rest += '/' + path[j];
      args.push_back(std::move(rest));
      return args;
    }
    if (pattern[i].starts_with('{')) {
      if (path[i].empty()) return std::nullopt;
      args.push_back(path[i]);
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  if (path.size() > pattern.size()) return std::nullopt;
  return args;
}

}  // namespace

void Router::add(std::string method, std::string pattern, Route route, Access access) {
  auto segments = split(pattern);
  entries_.push_back(
      {std::move(method), std::move(pattern), std::move(segments), std::move(route), access});
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Entry& entry : entries_) all.emplace_back(entry.method, entry.pattern);
  return all;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  if (!path.starts_with('/')) return {};
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const auto segments = split(path);
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  Match match;
  for (const Entry& entry : entries_) {
    auto args = fit(entry.segments, segments);
    if (!args) continue;
    match.pattern = entry.pattern;
    if (entry.method == wanted) {
      match.route = &entry.route;
      match.access = entry.access;
      match.args = std::move(*args);
      return match;
    }
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += entry.method == "GET" ? "GET, HEAD" : entry.method;
  }
  return match;
}

}  // namespace reel::http
