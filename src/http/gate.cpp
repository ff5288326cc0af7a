#include "gate.h"

#include <fmt/format.h>

#include "error_reply.h"
#include "listener.h"
#include "reel/base/clock.h"
#include "text.h"

namespace reel::http {
namespace {

// "[::1]:80" as "[::1]".
std::string host_of(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  const bool port = colon != std::string_view::npos && !authority.ends_with(']');
  return to_lower(authority.substr(0, port ? colon : authority.size()));
}

// "::1" as "[::1]".
std::string in_host(const std::string& name) {
  return to_lower(name.find(':') == name.npos ? name : "[" + name + "]");
}

std::string_view authority_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

std::optional<std::string_view> bearer_key(const Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const auto header = request.header("authorization");
  if (!header || to_lower(header->substr(0, kScheme.size())) != kScheme) return std::nullopt;
  return trim(header->substr(kScheme.size()));
}

// The same for no key and for a wrong one.
Reply no_key() {
  Reply reply = error_reply(401, "authorization: expected 'Bearer' and an API key of this server");
  reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"reel\"");
  return reply;
}

}  // namespace

Gate::Gate(const Api& api, const Cors& cors) : api_(api), cors_(cors) {
  const Options& options = api.options;
  if (!is_loopback(options.host) && options.allowed_hosts.empty()) return;
  names_ = {"localhost", "127.0.0.1", "[::1]", in_host(options.host)};
  for (const std::string& host : options.allowed_hosts) names_.insert(in_host(host));
  if (!options.public_url.empty()) names_.insert(host_of(authority_of(options.public_url)));
}

std::optional<Reply> Gate::refusal(Request& request, Access access) const {
  if (auto refused = foreign(request)) return refused;
  return unknown(request, access);
}

// A page of another site can send its reader's browser to 127.0.0.1: by a name of its own that
// resolves there (then Host is that name), or across origins.
std::optional<Reply> Gate::foreign(const Request& request) const {
  const auto host = request.header("host");
  if (!host) return std::nullopt;
  if (!names_.empty() && !names_.contains(host_of(*host))) {
    return error_reply(403,
                       fmt::format("host: '{}' is none of this server's names; --allowed-hosts and "
                                   "--public-url add some",
                                   host_of(*host)),
                       "host", "host_not_allowed");
  }
  const auto origin = request.header("origin");
  if (!origin || request.method == "GET" || request.method == "HEAD" || cors_.allows(*origin)) {
    return std::nullopt;
  }
  const std::string_view theirs = authority_of(*origin),
                         ours = authority_of(api_.options.public_url);
  if (theirs == *host || (!ours.empty() && host_of(theirs) == host_of(ours))) return std::nullopt;
  return error_reply(403,
                     "origin: pages of other sites are refused; --cors-origin lists exceptions, "
                     "--public-url tells the name that this server has for browsers",
                     "origin", "origin_not_allowed");
}

std::optional<Reply> Gate::unknown(Request& request, Access access) const {
  const auto keys = api_.keys();
  if (keys->empty() || access == Access::Open || request.method == "OPTIONS") return std::nullopt;
  if (const auto key = bearer_key(request)) request.owner = keys->name_of(*key);
  const std::string sig = access == Access::SignedUrl ? request.param("sig") : "";
  if (sig.empty()) return request.owner ? std::nullopt : std::optional(no_key());
  const auto verdict = api_.signer.judge(request.path, request.param("exp"), sig, unix_seconds());
  if (verdict != UrlSigner::Verdict::Good && request.owner) return std::nullopt;
  switch (verdict) {
    case UrlSigner::Verdict::Good:
      request.owner.reset();  // the URL is the permission, whoever follows it
      return std::nullopt;
    case UrlSigner::Verdict::Expired:
      return error_reply(403, "url: it has expired; the job's object has a new one", "exp",
                         "url_expired");
    case UrlSigner::Verdict::Forged:
      break;
  }
  return error_reply(403, "url: its signature is not this server's", "sig", "url_not_signed");
}

}  // namespace reel::http
