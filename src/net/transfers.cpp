#include "reel/net/transfers.h"

#include <curl/curl.h>

#include <array>
#include <utility>

#include "handle.h"
#include "reel/base/error.h"

namespace reel::net {

struct Transfers::Transfer {
  using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

  uint64_t id = 0;
  Post post;
  Handle handle = open_handle();
  Headers headers{nullptr, curl_slist_free_all};
  bool refused = false;  // an address that is not public
};

namespace {

size_t drop(char*, size_t size, size_t count, void*) { return size * count; }

}  // namespace

Transfers::Transfers(Limits limits) : limits_(limits) {
  start_libcurl();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw Error(ErrorCode::Internal, "libcurl: no handle");
}

Transfers::~Transfers() {
  for (const auto& [handle, transfer] : transfers_) curl_multi_remove_handle(multi_, handle);
  transfers_.clear();
  curl_multi_cleanup(multi_);
}

void Transfers::begin(uint64_t id, Post post) {
  auto transfer = std::make_unique<Transfer>();
  transfer->id = id;
  transfer->post = std::move(post);
  for (const std::string& header : transfer->post.headers) {
    transfer->headers.reset(curl_slist_append(transfer->headers.release(), header.c_str()));
  }
  CURL* const handle = transfer->handle.get();
  set_limits(handle, limits_);
  curl_easy_setopt(handle, CURLOPT_URL, transfer->post.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, transfer->headers.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, transfer->post.body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(transfer->post.body.size()));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, drop);
  if (transfer->post.public_only) connect_to_public_only(handle, transfer->refused);
  if (curl_multi_add_handle(multi_, handle) != CURLM_OK) {
    throw Error(ErrorCode::Internal, "libcurl: it takes no transfer");
  }
  transfers_[handle] = std::move(transfer);
}

std::vector<Transfers::Outcome> Transfers::wait(std::chrono::milliseconds most) {
  int running = 0;
  curl_multi_perform(multi_, &running);
  auto outcomes = ended();
  if (!outcomes.empty()) return outcomes;
  curl_multi_poll(multi_, nullptr, 0, static_cast<int>(most.count()), nullptr);
  curl_multi_perform(multi_, &running);
  return ended();
}

std::vector<Transfers::Outcome> Transfers::ended() {
  std::vector<Outcome> outcomes;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const handle = message->easy_handle;
    const CURLcode code = message->data.result;  // `message` goes with the handle
    const Transfer& transfer = *transfers_.at(handle);
    Outcome& outcome = outcomes.emplace_back();
    outcome.id = transfer.id;
    if (transfer.refused && code != CURLE_OK) {
      outcome.fault = "its address is not public";
    } else if (code != CURLE_OK) {
      outcome.fault = curl_easy_strerror(code);
    } else {
      long status = 0;
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
      outcome.status = static_cast<int>(status);
    }
    curl_multi_remove_handle(multi_, handle);
    transfers_.erase(handle);
  }
  return outcomes;
}

void Transfers::wake() { curl_multi_wakeup(multi_); }

size_t Transfers::active() const { return transfers_.size(); }

}  // namespace reel::net
