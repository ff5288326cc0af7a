#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reel::http {

/// Signs paths, for clients that come without a key: by this process, until some second.
class UrlSigner {
 public:
  UrlSigner();

  /// "exp=…&sig=…": what follows `path` and a question mark. `expires` is in seconds since 1970.
  std::string query(std::string_view path, int64_t expires) const;

  enum class Verdict { Good, Expired, Forged };
  Verdict judge(std::string_view path, const std::string& exp, std::string_view sig,
                int64_t now) const;

 private:
  std::string signature(std::string_view path, std::string_view exp) const;

  const std::string secret_;
};

}  // namespace reel::http
