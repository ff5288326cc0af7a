#include "reel/net/http_client.h"

#include <curl/curl.h>

#include <memory>

#include "handle.h"
#include "reel/base/error.h"

namespace reel::net {

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
  Received received{{}, limits_.max_bytes};
  curl_easy_setopt(handle_, CURLOPT_URL, url.c_str());
  set_limits(handle_, limits_);
  receive_into(handle_, received);
  const CURLcode code = curl_easy_perform(handle_);
  if (code == CURLE_WRITE_ERROR) {
    throw Error(ErrorCode::TooLarge, url + ": the reply is over the limit");
  }
  if (code != CURLE_OK) {
    throw Error(ErrorCode::Unavailable, url + ": " + curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  return {static_cast<int>(status), std::move(received.body)};
}

}  // namespace reel::net
