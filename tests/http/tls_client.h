#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "client.h"

namespace reel::http {

/// Writes `name`.crt and `name`.key: a new key, and a certificate of its own for CN=`name`.
inline void write_certificate(const std::filesystem::path& folder, const std::string& name,
                              const char* password = nullptr) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const auto write = [&](const char* ending, const auto& put) {
    FILE* const file = fopen((folder / (name + ending)).c_str(), "w");
    if (file == nullptr || put(file) != 1) throw std::runtime_error(name + ": not written");
    fclose(file);
  };
  write(".crt", [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
  write(".key", [&](FILE* file) {
    const EVP_CIPHER* const cipher = password == nullptr ? nullptr : EVP_aes_128_cbc();
    return PEM_write_PrivateKey(file, key.get(), cipher, nullptr, 0, nullptr,
                                const_cast<char*>(password));
  });
}

/// The raw client, through TLS; it trusts any certificate.
class TlsClient : public Client {
 public:
  struct Options {
    int receive_buffer = 0;
    int version = 0;             // the only one; 0: any
    std::string protocols = {};  // of ALPN, as on the wire
  };

  explicit TlsClient(int port) : TlsClient(port, Options()) {}
  TlsClient(int port, const Options& options)
      : Client(port, options.receive_buffer),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_security_level(context_.get(), 0);
    if (options.version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), options.version);
      SSL_CTX_set_max_proto_version(context_.get(), options.version);
    }
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), socket());
    const auto* protocols = reinterpret_cast<const unsigned char*>(options.protocols.data());
    SSL_set_alpn_protos(tls_.get(), protocols, static_cast<unsigned>(options.protocols.size()));
    if (SSL_connect(tls_.get()) != 1) {
      ERR_clear_error();
      throw std::runtime_error("the handshake failed");
    }
  }

  /// The name in the server's certificate.
  std::string server_name() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(tls_.get()), X509_free);
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof name);
    return name;
  }
  std::string protocol() const {
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(tls_.get(), &chosen, &length);
    return {reinterpret_cast<const char*>(chosen), length};
  }
  void half_close() { SSL_shutdown(tls_.get()); }

  /// Whether the server said so when it closed.
  bool told_of_the_end() const { return SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN; }

 private:
  ssize_t send_some(const char* from, size_t size) override {
    return SSL_write(tls_.get(), from, static_cast<int>(size));
  }
  ssize_t receive_some(char* to, size_t size) override {
    const int got = SSL_read(tls_.get(), to, static_cast<int>(size));
    ERR_clear_error();
    return got;
  }
  bool buffered() const override { return SSL_pending(tls_.get()) > 0; }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, SSL_free};
};

}  // namespace reel::http
