#include "memory.h"

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "reel/base/error.h"

namespace reel::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kNoLimit = ~uint64_t{0};

/// Of a control group and all above it; `file` is absent where there is no limit, or says "max".
uint64_t group_limit(const fs::path& root, const fs::path& group, const char* file) {
  uint64_t limit = kNoLimit;
  for (fs::path at = root / group.relative_path();; at = at.parent_path()) {
    uint64_t bytes = 0;
    if (std::ifstream(at / file) >> bytes) limit = std::min(limit, bytes);
    if (at == root || !at.has_relative_path()) return limit;
  }
}

uint64_t machine_limit() {
  uint64_t limit = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // 4:memory:/path, or 0::/path
    std::istringstream fields(line);
    std::string number, controllers, group;
    std::getline(std::getline(std::getline(fields, number, ':'), controllers, ':'), group);
    if (controllers.empty()) {
      limit = std::min(limit, group_limit("/sys/fs/cgroup", group, "memory.max"));
    } else if (controllers == "memory") {
      limit = std::min(limit, group_limit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return limit;
}

/// Of this process, without pages of files.
uint64_t held_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) << 10;
  }
  return 0;
}

std::string gib(uint64_t bytes) { return fmt::format("{:.1f} GiB", double(bytes) / (1 << 30)); }

}  // namespace

uint64_t memory_left(c10::Device device) {
  if (device.is_cuda()) {
    auto* allocator = at::getDeviceAllocator(at::kCUDA);
    const auto stats = allocator->getDeviceStats(device.index());
    return allocator->getMemoryInfo(device.index()).first +
           static_cast<uint64_t>(stats.reserved_bytes[0].current -
                                 stats.allocated_bytes[0].current);
  }
  const uint64_t limit = machine_limit(), held = held_bytes();
  return limit > held ? limit - held : 0;
}

void check_memory(const gen::ResolvedRequest& request, const gen::Description& model,
                  const std::function<uint64_t(const gen::ResolvedRequest&)>& need, uint64_t left) {
  const uint64_t needed = need(request);
  if (needed <= left) return;
  auto probe = request;
  const auto fits = [&](gen::Size size, int frames) {
    probe.width = size.width;
    probe.height = size.height;
    probe.num_frames = frames;
    return need(probe) <= left;
  };
  const gen::Size size{request.width, request.height};
  int frames = request.num_frames;
  while (frames > 1 && !fits(size, frames)) frames -= std::min(model.frame_multiple, frames - 1);
  const bool size_fits = fits(size, frames);

  std::string others;  // that fit: published sizes, else the largest of this shape
  const auto add = [&](gen::Size other) {
    others += fmt::format("{}{}x{}", others.empty() ? "" : ", ", other.width, other.height);
  };
  for (const auto& other : model.sizes) {
    if (fits(other, request.num_frames)) add(other);
  }
  for (int width = request.width; others.empty() && width >= model.size_multiple;
       width -= model.size_multiple) {
    const int64_t height = int64_t{request.height} * width / request.width;
    const gen::Size other{
        width, std::max(static_cast<int>(height / model.size_multiple), 1) * model.size_multiple};
    if (fits(other, request.num_frames)) add(other);
  }

  throw Error(
      ErrorCode::InvalidArgument,
      fmt::format(
          "{}: expected {}, got {}x{} with {} frames, which take about {}; {} of memory are free "
          "beside the model; sizes that {} frames can have: {}",
          size_fits ? "num_frames" : "size",
          size_fits ? fmt::format("at most {}", frames) : "what fits into memory", request.width,
          request.height, request.num_frames, gib(needed), gib(left), request.num_frames,
          others.empty() ? "none" : others),
      size_fits ? "num_frames" : "size");
}

}  // namespace reel::engine
