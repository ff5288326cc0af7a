#include "reel/base/gpu_metrics.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace reel {
namespace {

/// The value of `name` of a GPU in `text`; "" if it is not there.
std::string value(const std::string& text, const std::string& name, int gpu) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + "{") &&
        line.find("gpu=\"" + std::to_string(gpu) + '"') != std::string::npos) {
      return line.substr(line.rfind(' ') + 1);
    }
  }
  return {};
}

TEST(GpuMetrics, AreTheDcgmExportersOwn) {
  Metrics metrics;
  const GpuMetrics gpus(metrics, FAKE_NVML);
  ASSERT_EQ(gpus.count(), 2);
  const std::string text = metrics.text();
  for (const auto& [name, expected] : {std::pair("DCGM_FI_DEV_SM_CLOCK", "1980"),
                                       {"DCGM_FI_DEV_MEM_CLOCK", "2619"},
                                       {"DCGM_FI_DEV_GPU_TEMP", "40"},
                                       {"DCGM_FI_DEV_POWER_USAGE", "123.456"},
                                       {"DCGM_FI_DEV_GPU_UTIL", "97"},
                                       {"DCGM_FI_DEV_MEM_COPY_UTIL", "31"},
                                       {"DCGM_FI_DEV_FB_USED", "61440"},
                                       {"DCGM_FI_DEV_FB_FREE", "20480"},
                                       {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "1000"},
                                       {"DCGM_FI_DEV_ENC_UTIL", ""}}) {
    EXPECT_EQ(value(text, name, 0), expected) << name;
  }
  EXPECT_EQ(value(text, "DCGM_FI_DEV_GPU_TEMP", 1), "41");
  EXPECT_EQ(value(text, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 1), "") << "it cannot tell";
  for (const char* label : {R"(modelName="A Hopper")", R"(UUID="GPU-1")", R"(device="nvidia1")",
                            R"(pci_bus_id="0000:3B:00.0")", "Hostname=\"",
                            "serve_gpu_memory_bytes{gpu=\"0\",kind=\"used\"} 64424509440"}) {
    EXPECT_NE(text.find(label), std::string::npos) << label;
  }
}

TEST(GpuMetrics, AreReadAgainForEveryText) {
  Metrics metrics;
  const GpuMetrics gpus(metrics, FAKE_NVML);
  const auto energy = [&] {
    return std::stod(value(metrics.text(), "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 0));
  };
  const double before = energy();
  EXPECT_EQ(energy(), before + 1000);
}

TEST(GpuMetrics, AreNoneWithoutNvml) {
  Metrics metrics;
  EXPECT_EQ(GpuMetrics(metrics, "libnot-there.so.1").count(), 0);
  EXPECT_EQ(metrics.text().find("DCGM"), std::string::npos);
}

}  // namespace
}  // namespace reel
