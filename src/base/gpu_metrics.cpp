#include "reel/base/gpu_metrics.h"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <optional>
#include <vector>

#include "reel/base/log.h"

namespace reel {
namespace {

// NVML's C interface, as its documentation has it. 0 is success.
using Device = struct nvmlDevice_st*;
struct Utilization {
  unsigned gpu, memory;  // per cent
};
struct Memory {
  unsigned long long total, free, used;  // bytes
};
struct PciInfo {
  char legacy_id[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char id[32];
};
struct Violation {
  unsigned long long reference_ns, violated_ns;
};
constexpr int kTemperatureOfGpu = 0, kClockOfSm = 1, kClockOfMemory = 2, kPolicyPower = 0;

class Library {
 public:
  explicit Library(const char* name) : handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}
  ~Library() {
    if (handle_) dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  /// Whether the function is there and succeeds.
  template <class... Args>
  bool call(const char* function, Args... args) const {
    auto* const found = handle_ ? dlsym(handle_, function) : nullptr;
    return found && reinterpret_cast<int (*)(Args...)>(found)(args...) == 0;
  }

  /// What such a function writes through its last argument.
  template <class T, class... Args>
  std::optional<T> read(const char* function, Args... args) const {
    T value{};
    return call(function, args..., &value) ? std::optional(value) : std::nullopt;
  }

 private:
  void* handle_;
};

}  // namespace

struct GpuMetrics::Nvml {
  Nvml(Metrics& into, const char* name) : metrics(into), library(name) {
    if (!library.call("nvmlInit_v2")) return;
    ready = true;
    const unsigned count = library.read<unsigned>("nvmlDeviceGetCount_v2").value_or(0);
    for (unsigned i = 0; i < count; ++i) {
      if (auto device = library.read<Device>("nvmlDeviceGetHandleByIndex_v2", i)) {
        gpus.push_back({*device, labels_of(*device, i)});
      }
    }
    log::info("gpu.metrics", {{"gpus", gpus.size()}});
  }
  ~Nvml() {
    if (ready) library.call("nvmlShutdown");
  }

  struct Gpu {
    Device device;
    Metrics::Labels labels;
    double energy_mj = 0, power_violation_us = 0;  // told so far
  };

  Metrics::Labels labels_of(Device device, unsigned index) const {
    std::array<char, 96> model{}, uuid{}, host{};
    const auto size = static_cast<unsigned>(model.size());
    library.call("nvmlDeviceGetName", device, model.data(), size);
    library.call("nvmlDeviceGetUUID", device, uuid.data(), size);
    gethostname(host.data(), host.size() - 1);
    const auto pci = library.read<PciInfo>("nvmlDeviceGetPciInfo_v3", device);
    const auto number = std::to_string(index);
    return {
        {"gpu", number},       {"device", "nvidia" + number}, {"modelName", model.data()},
        {"UUID", uuid.data()}, {"Hostname", host.data()},     {"pci_bus_id", pci ? pci->id : ""}};
  }

  void set(const Gpu& gpu, const char* name, const char* help, double value) {
    metrics.gauge(name, help, gpu.labels).set(value);
  }
  void set(const Gpu& gpu, const char* name, const char* help, std::optional<unsigned> value) {
    if (value) set(gpu, name, help, double(*value));
  }
  /// A counter that stands at `value`.
  void count(const Gpu& gpu, const char* name, const char* help, double value, double& told) {
    if (value > told) metrics.counter(name, help, gpu.labels).add(value - told);
    told = std::max(value, told);
  }

  void refresh() {
    const std::lock_guard lock(mutex);
    for (Gpu& gpu : gpus) refresh(gpu);
  }

  void refresh(Gpu& gpu) {
    const auto number = [&](const char* function, auto... args) {
      return library.read<unsigned>(function, gpu.device, args...);
    };
    set(gpu, "DCGM_FI_DEV_SM_CLOCK", "SM clock, MHz", number("nvmlDeviceGetClockInfo", kClockOfSm));
    set(gpu, "DCGM_FI_DEV_MEM_CLOCK", "Memory clock, MHz",
        number("nvmlDeviceGetClockInfo", kClockOfMemory));
    set(gpu, "DCGM_FI_DEV_GPU_TEMP", "Temperature, °C",
        number("nvmlDeviceGetTemperature", kTemperatureOfGpu));
    if (const auto milliwatts = number("nvmlDeviceGetPowerUsage")) {
      set(gpu, "DCGM_FI_DEV_POWER_USAGE", "Power, W", *milliwatts / 1e3);
    }
    if (const auto used = library.read<Utilization>("nvmlDeviceGetUtilizationRates", gpu.device)) {
      set(gpu, "DCGM_FI_DEV_GPU_UTIL", "Time with a kernel at work, %", used->gpu);
      set(gpu, "DCGM_FI_DEV_MEM_COPY_UTIL", "Time with memory read or written, %", used->memory);
    }
    if (const auto memory = library.read<Memory>("nvmlDeviceGetMemoryInfo", gpu.device)) {
      constexpr double kMiB = 1 << 20;
      set(gpu, "DCGM_FI_DEV_FB_USED", "Memory used, MiB", double(memory->used) / kMiB);
      set(gpu, "DCGM_FI_DEV_FB_FREE", "Memory free, MiB", double(memory->free) / kMiB);
      for (const auto& [kind, bytes] : {std::pair("used", memory->used), {"free", memory->free}}) {
        metrics
            .gauge("serve_gpu_memory_bytes", "Memory of a GPU, of all its processes",
                   {{"gpu", gpu.labels.at("gpu")}, {"kind", kind}})
            .set(double(bytes));
      }
    }
    unsigned period_us = 0;
    for (const auto& [function, name] :
         {std::pair("nvmlDeviceGetEncoderUtilization", "DCGM_FI_DEV_ENC_UTIL"),
          {"nvmlDeviceGetDecoderUtilization", "DCGM_FI_DEV_DEC_UTIL"}}) {
      unsigned percent = 0;
      if (library.call(function, gpu.device, &percent, &period_us)) {
        set(gpu, name, "Time at work, %", percent);
      }
    }
    if (const auto energy =
            library.read<unsigned long long>("nvmlDeviceGetTotalEnergyConsumption", gpu.device)) {
      count(gpu, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "Energy since the driver was loaded, mJ",
            double(*energy), gpu.energy_mj);
    }
    if (const auto slow =
            library.read<Violation>("nvmlDeviceGetViolationStatus", gpu.device, kPolicyPower)) {
      count(gpu, "DCGM_FI_DEV_POWER_VIOLATION", "Time slowed to keep to the power limit, us",
            double(slow->violated_ns) / 1e3, gpu.power_violation_us);
    }
  }

  Metrics& metrics;
  const Library library;
  bool ready = false;
  std::mutex mutex;  // guards what follows
  std::vector<Gpu> gpus;
};

GpuMetrics::GpuMetrics(Metrics& metrics, const char* library)
    : nvml_(std::make_unique<Nvml>(metrics, library)) {
  if (!nvml_->gpus.empty()) metrics.before_text([nvml = nvml_.get()] { nvml->refresh(); });
}

GpuMetrics::~GpuMetrics() = default;

int GpuMetrics::count() const { return static_cast<int>(nvml_->gpus.size()); }

}  // namespace reel
