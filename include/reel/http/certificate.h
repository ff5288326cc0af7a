#pragma once

#include <filesystem>
#include <memory>

struct ssl_ctx_st;

namespace reel::http {

/// A certificate with its chain and its private key: what TLS needs to serve. Cheap to copy.
class Certificate {
 public:
  Certificate() = default;  // none

  /// From PEM files. Throws Error(InvalidArgument), with param "tls-cert" or "tls-key".
  Certificate(const std::filesystem::path& chain, const std::filesystem::path& key);

  explicit operator bool() const { return context_ != nullptr; }
  ssl_ctx_st* context() const { return context_.get(); }

 private:
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace reel::http
