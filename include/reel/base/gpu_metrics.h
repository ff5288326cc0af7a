#pragma once

#include <memory>

#include "reel/base/metrics.h"

namespace reel {

/// What NVML says of this machine's GPUs, under the names, units and labels of NVIDIA's DCGM
/// exporter; nothing where there is no NVML, and no field that a GPU does not have.
class GpuMetrics {
 public:
  /// Read before every Metrics::text(); `metrics` gives no text after this is gone.
  explicit GpuMetrics(Metrics& metrics, const char* library = "libnvidia-ml.so.1");
  ~GpuMetrics();

  int count() const;  // of GPUs

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;
};

}  // namespace reel
