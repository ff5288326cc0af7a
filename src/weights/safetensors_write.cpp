#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "reel/base/error.h"
#include "reel/weights/safetensors.h"
#include "safetensors_header.h"

namespace reel::weights {
namespace {

[[noreturn]] void fail_write(const std::filesystem::path& path) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  throw Error(full ? ErrorCode::StorageFull : ErrorCode::Internal,
              fmt::format("{}: cannot be written: {}", path.string(), std::strerror(error)));
}

/// A file under a temporary name, which is gone unless it was published.
class PartFile {
 public:
  explicit PartFile(std::filesystem::path target)
      : target_(std::move(target)), part_(target_.string() + ".XXXXXX") {
    fd_ = ::mkostemp(part_.data(), O_CLOEXEC);
    if (fd_ < 0) fail_write(target_);
  }
  ~PartFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!part_.empty()) ::unlink(part_.c_str());
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  void write(const void* data, size_t bytes) {
    const char* next = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = ::write(fd_, next, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_write(target_);
      next += written;
      bytes -= static_cast<size_t>(written);
    }
  }

  void publish() {
    // mkostemp makes files for their owner only; a model's files are for everyone.
    if (::fchmod(fd_, 0644) != 0 || ::fsync(fd_) != 0) fail_write(target_);
    if (::rename(part_.c_str(), target_.c_str()) != 0) fail_write(target_);
    part_.clear();
  }

 private:
  std::filesystem::path target_;
  std::string part_;
  int fd_ = -1;
};

}  // namespace

void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  // Wide dtypes first: then each tensor is aligned to its own.
  auto order = tensors;
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second.element_size() > b.second.element_size();
  });
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t end = 0;
  for (const auto& [name, tensor] : order) {
    const char* dtype = name_of(tensor.scalar_type());
    if (dtype == nullptr || name == "__metadata__" || header.contains(name)) {
      throw Error(ErrorCode::Internal,
                  fmt::format("{}: {} of dtype {} cannot be written", path.string(), quote(name),
                              c10::toString(tensor.scalar_type())));
    }
    const uint64_t begin = end;
    end += tensor.nbytes();
    header[name] = {
        {"dtype", dtype}, {"shape", tensor.sizes().vec()}, {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::Internal, fmt::format("{}: {}", path.string(), error.what()));
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();

  PartFile file(path);
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto& entry : order) {
    const at::Tensor whole = entry.second.to(at::kCPU).contiguous();
    file.write(whole.data_ptr(), whole.nbytes());
  }
  file.publish();
}

}  // namespace reel::weights
