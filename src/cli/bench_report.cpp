#include "bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace reel::cli {
namespace {

using nlohmann::json;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

template <class T>
void line(const char* name, const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    fmt::print("{:<45} {:<30.2f}\n", name, value);
  } else {
    fmt::print("{:<45} {:<30}\n", name, value);
  }
}

}  // namespace

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const double rank = p / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (rank - static_cast<double>(below)) * (values[above] - values[below]);
}

json bench_summary(const std::vector<BenchRequest>& requests,
                   const std::vector<BenchResult>& results, double duration_s,
                   const BenchFlags& flags, std::optional<double> slo_s_per_work) {
  std::vector<double> latencies, memory;
  int outputs = 0, in_time = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const BenchResult& result = results[i];
    if (!result.ok) continue;
    latencies.push_back(result.latency_s);
    outputs += result.outputs;
    if (result.peak_memory_mb) memory.push_back(*result.peak_memory_mb);
    if (slo_s_per_work) in_time += result.latency_s <= *slo_s_per_work * requests[i].work();
  }
  const auto completed = latencies.size();
  json summary{{"duration", duration_s},
               {"completed_requests", completed},
               {"completed_outputs", outputs},
               {"failed_requests", results.size() - completed},
               {"throughput_qps", static_cast<double>(completed) / duration_s},
               {"output_throughput_ops", outputs / duration_s},
               {"latency_mean", completed ? mean(latencies) : 0.0},
               {"latency_median", completed ? percentile(latencies, 50) : 0.0},
               {"num_outputs_per_prompt", flags.num_outputs_per_prompt}};
  for (const int p : {50, 90, 95, 99}) {
    summary[fmt::format("latency_p{}", p)] = completed ? percentile(latencies, p) : 0.0;
  }
  if (!memory.empty()) {
    summary["peak_memory_mb_max"] = percentile(memory, 100);
    summary["peak_memory_mb_mean"] = mean(memory);
    summary["peak_memory_mb_median"] = percentile(memory, 50);
  }
  if (slo_s_per_work) {
    summary["slo_attainment_rate"] = in_time / static_cast<double>(results.size());
    summary["slo_met_success"] = in_time;
    summary["slo_scale"] = flags.slo_scale;
  }
  return summary;
}

void print_bench(const json& s, const BenchFlags& flags, const std::string& model) {
  const std::string rule(50, '-');
  const int completed = s["completed_requests"], failed = s["failed_requests"];
  fmt::print("\n{:=^60}\n", " Serving Benchmark Result ");
  line("Task:", flags.task);
  line("Model:", model);
  line("Dataset:", flags.dataset);
  fmt::print("{}\n", rule);
  line("Benchmark duration (s):", s["duration"].get<double>());
  line("Request rate:", flags.request_rate > 0 && std::isfinite(flags.request_rate)
                            ? fmt::format("{}", flags.request_rate)
                            : std::string("inf"));
  line("Max request concurrency:", flags.max_concurrency);
  line("Successful requests:", fmt::format("{}/{}", completed, completed + failed));
  line("Completed outputs:", s["completed_outputs"].get<int>());
  line("Outputs per prompt:", flags.num_outputs_per_prompt);
  fmt::print("{}\n", rule);
  line("Request throughput (req/s):", s["throughput_qps"].get<double>());
  line("Output throughput (outputs/s):", s["output_throughput_ops"].get<double>());
  line("Latency Mean (s):", s["latency_mean"].get<double>());
  line("Latency Median (s):", s["latency_median"].get<double>());
  line("Latency P90 (s):", s["latency_p90"].get<double>());
  line("Latency P95 (s):", s["latency_p95"].get<double>());
  line("Latency P99 (s):", s["latency_p99"].get<double>());
  if (s.contains("peak_memory_mb_max")) {
    fmt::print("{}\n", rule);
    line("Peak Memory Max (MB):", s["peak_memory_mb_max"].get<double>());
    line("Peak Memory Mean (MB):", s["peak_memory_mb_mean"].get<double>());
    line("Peak Memory Median (MB):", s["peak_memory_mb_median"].get<double>());
  }
  if (s.contains("slo_scale")) {
    const auto narrow = [](const char* name, const std::string& value) {
      fmt::print("{:<40} {:<15}\n", name, value);
    };
    fmt::print("{}\n", rule);
    narrow("SLO Attainment Rate:",
           fmt::format("{:.2f}%", 100 * s["slo_attainment_rate"].get<double>()));
    narrow("SLO Met (Success):", fmt::format("{}", s["slo_met_success"].get<int>()));
    narrow("SLO Scale:", fmt::format("{:.2f}", flags.slo_scale));
  }
  fmt::print("{:-<60}\n", "");
}

}  // namespace reel::cli
