#pragma once

#include <map>
#include <string>
#include <string_view>

namespace reel::net {

struct Response {
  int status = 0;
  std::string body;
};

struct Limits {
  double timeout_s = 60;  // of the whole exchange
  double connect_timeout_s = 5;
  size_t max_bytes = 256u << 20;  // of the reply's body
};

/// Requests to one server over kept-alive connections. One thread at a time.
class HttpClient {
 public:
  explicit HttpClient(Limits limits = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Any status is an answer. Throws Error(Unavailable) when there is none, Error(TooLarge) past
  /// the limit. Redirects are not followed.
  Response get(const std::string& url);
  Response post(const std::string& url, std::string_view body, const std::string& content_type);

 private:
  Response send(const std::string& url);

  Limits limits_;
  void* handle_;  // libcurl's
};

}  // namespace reel::net
