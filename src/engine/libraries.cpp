#include "libraries.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <torch/headeronly/version.h>

#include <filesystem>
#include <string>

#include "reel/base/log.h"

namespace reel::engine {
namespace {

/// Where a library that is already loaded came from; "" if it is not.
std::string path_of(const std::string& name) {
  struct Search {
    const std::string& name;
    std::string found;
  } search{name, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* user) {
        auto& s = *static_cast<Search*>(user);
        const std::string path = info->dlpi_name;
        if (path.find("/" + s.name) == std::string::npos) return 0;
        s.found = path;
        return 1;
      },
      &search);
  return search.found;
}

/// "9.19.0" of 91900, "13.0" of 13000.
std::string cudnn_version(long v) {
  return fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}
std::string cuda_version(long v) { return fmt::format("{}.{}", v / 1000, v / 10 % 100); }

std::string nccl_version() {
  const auto get =
      reinterpret_cast<int (*)(int*)>(dlsym(RTLD_DEFAULT, "ncclGetVersion"));  // part of its API
  int v = 0;
  if (get == nullptr || get(&v) != 0) return "none";
  return fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

}  // namespace

void log_libraries() {
  const auto& cuda = at::detail::getCUDAHooks();
  if (!cuda.hasCUDART()) {
    log::info("libraries.loaded", {{"torch", TORCH_VERSION}, {"cuda", "none"}});
    return;
  }
  log::info("libraries.loaded", {{"torch", TORCH_VERSION},
                                 {"cuda", cuda_version(cuda.versionCUDART())},
                                 {"cudnn", cudnn_version(cuda.versionRuntimeCuDNN())},
                                 {"nccl", nccl_version()},
                                 {"gpus", cuda.getNumGPUs()}});
  // <site-packages>/torch/lib/libc10.so beside <site-packages>/nvidia/cudnn/lib/libcudnn.so.9
  const auto wheel =
      std::filesystem::path(path_of("libc10.so")).parent_path().parent_path().parent_path();
  const std::string cudnn = path_of("libcudnn.so");
  if (!cudnn.empty() && std::filesystem::weakly_canonical(cudnn).string().rfind(
                            std::filesystem::weakly_canonical(wheel).string(), 0) != 0) {
    log::warning("cudnn.foreign",
                 {{"file", cudnn}, {"expected", (wheel / "nvidia/cudnn/lib").string()}});
  }
}

}  // namespace reel::engine
