#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reel/net/http_client.h"

namespace reel::net {

struct Post {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  bool public_only = true;  // its name must resolve to a public address
};

/// Posts to any servers, many at once, on one thread: all of it is that thread's but wake(). No
/// redirect is followed, and what a reply says beside its status is thrown away.
class Transfers {
 public:
  explicit Transfers(Limits limits);
  ~Transfers();  // ends what is under way

  /// How a post went.
  struct Outcome {
    uint64_t id = 0;
    int status = 0;     // 0: no answer
    std::string fault;  // then: why
  };

  /// Throws Error(Internal).
  void begin(uint64_t id, Post post);

  /// Goes on with all of them until some have ended, wake() is called or the time is up.
  std::vector<Outcome> wait(std::chrono::milliseconds most);

  /// Ends a wait, this one or the next. Any thread.
  void wake();

  size_t active() const;

 private:
  struct Transfer;
  std::vector<Outcome> ended();

  const Limits limits_;
  void* multi_;  // libcurl's
  std::map<void*, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace reel::net
