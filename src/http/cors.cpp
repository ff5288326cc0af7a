#include "cors.h"

#include <algorithm>

namespace reel::http {
namespace {

constexpr const char* kReadable =
    "x-request-id, openai-poll-after-ms, Location, Retry-After, x-should-retry, ETag, "
    "Accept-Ranges, Content-Range, Content-Disposition, Idempotency-Replayed, Server-Timing, "
    "traceparent";
constexpr const char* kPreflightSeconds = "600";

}  // namespace

bool Cors::allows(std::string_view origin) const {
  return std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

std::optional<Reply> Cors::preflight(const Request& request, const std::string& methods) const {
  const bool asks =
      request.method == "OPTIONS" && request.header("access-control-request-method").has_value();
  if (!asks || !allows(request.header("origin").value_or(""))) return std::nullopt;
  Reply reply;
  reply.status = 204;
  reply.headers = {{"Access-Control-Allow-Methods", methods},
                   {"Access-Control-Max-Age", kPreflightSeconds}};
  if (const auto wanted = request.header("access-control-request-headers")) {
    reply.headers.emplace_back("Access-Control-Allow-Headers", *wanted);
  }
  return reply;
}

void Cors::open(Reply& reply, const std::string& origin) const {
  if (origins_.empty()) return;
  reply.headers.emplace_back("Vary", "Origin");
  if (!allows(origin)) return;
  reply.headers.emplace_back("Access-Control-Allow-Origin", origin);
  reply.headers.emplace_back("Access-Control-Expose-Headers", kReadable);
}

}  // namespace reel::http
