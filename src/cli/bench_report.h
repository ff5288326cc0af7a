#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "bench_client.h"

namespace reel::cli {

/// The middle of `values`, or any other percentile: interpolated between ranks, as numpy does; NaN
/// of nothing.
double percentile(std::vector<double> values, double p);

/// By bench_serving's names. `slo_s_per_work`: how many seconds each unit of a request's work may
/// take, if there is a bound.
nlohmann::json bench_summary(const std::vector<BenchRequest>& requests,
                             const std::vector<BenchResult>& results, double duration_s,
                             const BenchFlags& flags, std::optional<double> slo_s_per_work);

/// bench_serving's table.
void print_bench(const nlohmann::json& summary, const BenchFlags& flags, const std::string& model);

}  // namespace reel::cli
