#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace reel {

/// Counts up. A cheap handle, valid as long as its Metrics. Any thread.
class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  void add(double amount = 1) const;

 private:
  prometheus::Counter* counter_;
};

/// A level that goes up and down. A cheap handle, valid as long as its Metrics. Any thread.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  void set(double value) const;
  void add(double amount) const;

 private:
  prometheus::Gauge* gauge_;
};

/// A distribution. A cheap handle, valid as long as its Metrics. Any thread.
class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  void observe(double value) const;

 private:
  prometheus::Histogram* histogram_;
};

/// Upper bounds, in seconds, for work that takes from a millisecond to an hour.
std::vector<double> duration_buckets();

/// What this process counts about itself, in Prometheus' terms. Any thread.
///
/// Asking again for a name with the same labels gives the same series. Throws Error(Internal) for
/// a name that Prometheus cannot spell or that is there as another kind.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  Metrics();
  ~Metrics();

  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {},
                      const std::vector<double>& upper_bounds = duration_buckets());

  /// `refresh` is called before every text(), on its thread, and sets what is not counted but read.
  /// Before the first text().
  void before_text(std::function<void()> refresh);

  /// All series in the text exposition format 0.0.4.
  std::string text() const;

 private:
  struct Registry;
  std::unique_ptr<Registry> registry_;
};

}  // namespace reel
