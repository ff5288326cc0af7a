#pragma once

#include <map>
#include <mutex>
#include <string>

#include "reel/base/metrics.h"

namespace reel::http {

/// Counts requests by route and status. Any thread.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics) : metrics_(metrics) {}

  void answered(const std::string& route, int status, double seconds);

 private:
  struct Route {
    Histogram duration;
    std::map<int, Counter> replies{};  // by status
  };

  Metrics& metrics_;
  std::mutex mutex_;
  std::map<std::string, Route> routes_;  // looking one up in Metrics costs microseconds
};

}  // namespace reel::http
