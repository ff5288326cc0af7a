#include "reel/net/http_client.h"

#include <curl/curl.h>

#include <memory>

#include "handle.h"
#include "reel/base/error.h"

namespace reel::net {
namespace {

struct Sink {
  std::string body;
  size_t max_bytes;
};

size_t append(char* data, size_t size, size_t count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  if (sink.body.size() + size * count > sink.max_bytes) return 0;
  sink.body.append(data, size * count);
  return size * count;
}

}  // namespace

HttpClient::HttpClient(Limits limits) : limits_(limits), handle_(open_handle().release()) {}

HttpClient::~HttpClient() { curl_easy_cleanup(handle_); }

Response HttpClient::get(const std::string& url) {
  curl_easy_reset(handle_);
  return send(url);
}

Response HttpClient::post(const std::string& url, std::string_view body,
                          const std::string& content_type) {
  curl_easy_reset(handle_);
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(
      curl_slist_append(nullptr, ("Content-Type: " + content_type).c_str()), curl_slist_free_all);
  curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  return send(url);
}

Response HttpClient::send(const std::string& url) {
  Sink sink{{}, limits_.max_bytes};
  curl_easy_setopt(handle_, CURLOPT_URL, url.c_str());
  set_limits(handle_, limits_);
  curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(handle_, CURLOPT_WRITEDATA, &sink);
  const CURLcode code = curl_easy_perform(handle_);
  if (code == CURLE_WRITE_ERROR) {
    throw Error(ErrorCode::TooLarge, url + ": the reply is over the limit");
  }
  if (code != CURLE_OK) {
    throw Error(ErrorCode::Unavailable, url + ": " + curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  return {static_cast<int>(status), std::move(sink.body)};
}

}  // namespace reel::net
