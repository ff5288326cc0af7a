#include "reel/http/certificate.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <utility>

#include "reel/base/error.h"
#include "reel/base/read_file.h"

namespace reel::http {
namespace {

constexpr uintmax_t kMostFile = 1 << 20;  // bytes
constexpr unsigned char kHttp11[] = "\x08http/1.1";

// The last word of OpenSSL about what it refused.
std::string why() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "it cannot be read";
}

void check(bool good, const char* flag, const std::filesystem::path& path, const char* expected) {
  if (good) return;
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("{}: expected {}: {}", path.string(), expected, why()), flag);
}

// Of what a client speaks, the one that we do; with none in common it may still try.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned offered_length, void*) {
  const int found = SSL_select_next_proto(const_cast<unsigned char**>(chosen), length, kHttp11,
                                          sizeof kHttp11 - 1, offered, offered_length);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

Certificate::Certificate(const std::filesystem::path& chain, const std::filesystem::path& key) {
  for (const auto& [path, flag] : {std::pair{chain, "tls-cert"}, {key, "tls-key"}}) {
    try {
      read_file(path, kMostFile, ErrorCode::InvalidArgument);
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), flag);
    }
  }
  context_.reset(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context_) throw Error(ErrorCode::Internal, "OpenSSL: " + why());
  SSL_CTX* const context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // clients keep tickets
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  // Nobody is there to be asked for the password of a key.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
  check(SSL_CTX_use_certificate_chain_file(context, chain.c_str()) == 1, "tls-cert", chain,
        "a certificate in PEM, and its chain");
  check(SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1, "tls-key", key,
        "a private key in PEM without a password, the certificate's");
}

}  // namespace reel::http
