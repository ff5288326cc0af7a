#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "bench_requests.h"
#include "reel/net/http_client.h"

namespace reel::cli {

struct BenchResult {
  bool ok = false;
  double latency_s = 0;  // from the request to the poll that sees the video
  int outputs = 0;
  std::optional<double> peak_memory_mb;
  std::string error;
};

/// Asks a server for videos as SGLang's bench_serving does. One thread at a time.
class BenchClient {
 public:
  /// `picture`: the bytes of a file that every video begins with; "" for none.
  BenchClient(const BenchFlags& flags, const std::string& picture);

  /// Throws Error(Unavailable) after 20 minutes.
  void wait_until_healthy();
  std::string served_model();

  BenchResult run(const std::string& model, const BenchRequest& request);

 private:
  nlohmann::json fields_of(const std::string& model, const BenchRequest& request) const;
  net::Response submit(const nlohmann::json& fields);

  const BenchFlags& flags_;
  const std::string& picture_;
  std::string base_;
  net::HttpClient http_;
};

}  // namespace reel::cli
