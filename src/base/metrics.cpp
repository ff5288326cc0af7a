#include "reel/base/metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "reel/base/error.h"

namespace reel {

struct Metrics::Registry {
  // A family asked for again is the same family.
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::vector<std::function<void()>> refreshes;

  template <class Builder, class... Args>
  auto& add(Builder builder, const std::string& name, const std::string& help, const Labels& labels,
            Args&&... args) {
    try {
      return builder.Name(name).Help(help).Register(registry).Add(labels,
                                                                  std::forward<Args>(args)...);
    } catch (const std::exception& error) {
      throw Error(ErrorCode::Internal, fmt::format("metric {}: {}", name, error.what()));
    }
  }
};

void Counter::add(double amount) const { counter_->Increment(amount); }
void Gauge::set(double value) const { gauge_->Set(value); }
void Gauge::add(double amount) const { gauge_->Increment(amount); }
void Histogram::observe(double value) const { histogram_->Observe(value); }

std::vector<double> duration_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,    2.5, 5,
          10,    20,     30,    60,   90,    120,  180, 300,  600, 1200, 3600};
}

Metrics::Metrics() : registry_(std::make_unique<Registry>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return Counter(registry_->add(prometheus::BuildCounter(), name, help, labels));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(registry_->add(prometheus::BuildGauge(), name, help, labels));
}

Histogram Metrics::histogram(const std::string& name, const std::string& help, const Labels& labels,
                             const std::vector<double>& upper_bounds) {
  return Histogram(registry_->add(prometheus::BuildHistogram(), name, help, labels, upper_bounds));
}

void Metrics::before_text(std::function<void()> refresh) {
  registry_->refreshes.push_back(std::move(refresh));
}

std::string Metrics::text() const {
  for (const auto& refresh : registry_->refreshes) refresh();
  return prometheus::TextSerializer().Serialize(registry_->registry.Collect());
}

}  // namespace reel
