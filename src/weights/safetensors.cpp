#include "reel/weights/safetensors.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "reel/base/error.h"
#include "safetensors_header.h"

namespace reel::weights {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // as in the format's own reader
constexpr uint64_t kPieceBytes = 32 << 20;

[[noreturn]] void bad(const std::filesystem::path& path, const std::string& what) {
  throw Error(ErrorCode::BadModel, path.string() + ": " + what);
}

}  // namespace

struct SafetensorsFile::Mapping {
  explicit Mapping(const std::filesystem::path& file) : path(file) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) bad(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
    struct stat status {};
    const bool regular = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    size = regular ? static_cast<uint64_t>(status.st_size) : 0;
    // A mapping outlives its descriptor.
    void* mapped = size == 0 ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (!regular) bad(path, "expected a file");
    if (size == 0) bad(path, "is empty");
    if (mapped == MAP_FAILED) bad(path, fmt::format("cannot be mapped: {}", std::strerror(error)));
    data = static_cast<char*>(mapped);
  }

  ~Mapping() { ::munmap(data, size); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  void read_header() {
    uint64_t length = 0;  // little-endian in the file, as is every machine this runs on
    if (size < sizeof(length)) bad(path, fmt::format("{} bytes are too few", size));
    std::memcpy(&length, data, sizeof(length));
    const uint64_t after = size - sizeof(length);
    if (std::string_view(data, std::min<size_t>(size, 40)).starts_with("version https://git-lfs")) {
      bad(path, "is a pointer of Git LFS: the file itself was not fetched (git lfs pull)");
    }
    if (length > kMaxHeader || length > after) {
      bad(path, fmt::format("the header is said to have {} bytes; {} follow and {} are allowed",
                            length, after, kMaxHeader));
    }
    header = parse_header({data + sizeof(length), length}, sizeof(length) + length, after - length,
                          path.string());
  }

  /// Reads in every page that these bytes of `name` touch.
  void read_ahead(const std::string& name, uint64_t offset, uint64_t bytes) const {
    const uint64_t first = offset / page * page;
    if (bytes == 0 || ::madvise(data + first, offset + bytes - first, MADV_POPULATE_READ) == 0) {
      return;
    }
    if (errno == EFAULT || errno == EIO || errno == EHWPOISON) {
      bad(path, quote(name) + " cannot be read: the file was cut short or its disk fails");
    }
    // A kernel before 5.14 does not know the advice; the pages then come when they are touched.
  }

  /// Lets go of the pages that lie wholly in these bytes: the others may be a neighbour's too.
  void give_back(uint64_t offset, uint64_t bytes) const {
    const uint64_t first = (offset + page - 1) / page * page, last = (offset + bytes) / page * page;
    if (first < last) ::madvise(data + first, last - first, MADV_DONTNEED);
  }

  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  std::filesystem::path path;
  uint64_t size = 0;
  char* data = nullptr;
  SafetensorsHeader header;
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : mapping_(std::make_shared<Mapping>(path)) {
  mapping_->read_header();
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::filesystem::path& SafetensorsFile::path() const { return mapping_->path; }

const std::map<std::string, TensorInfo>& SafetensorsFile::tensors() const {
  return mapping_->header.tensors;
}

const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return mapping_->header.metadata;
}

const TensorInfo& SafetensorsFile::info(const std::string& name) const {
  const auto found = tensors().find(name);
  if (found == tensors().end()) bad(path(), "has no tensor " + quote(name));
  return found->second;
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const TensorInfo& info = this->info(name);
  const auto options = at::TensorOptions().dtype(info.dtype);
  if (info.bytes == 0) return at::empty(info.shape, options);
  char* first = mapping_->data + info.offset;
  if (reinterpret_cast<uintptr_t>(first) % c10::elementSize(info.dtype) != 0) {
    const at::Tensor copy = at::empty(info.shape, options);
    std::memcpy(copy.data_ptr(), first, info.bytes);
    return copy;
  }
  return at::from_blob(
      first, info.shape, [keep = mapping_](void*) {}, options);
}

void SafetensorsFile::copy_to(const at::Tensor& out, const std::string& name,
                              const std::function<void(uint64_t)>& on_bytes) const {
  const TensorInfo& info = this->info(name);
  const at::Tensor from = tensor(name).view(-1), to = out.view(-1);
  const auto width = static_cast<int64_t>(c10::elementSize(info.dtype));
  const int64_t step = static_cast<int64_t>(kPieceBytes) / width;
  for (int64_t first = 0; first < from.numel(); first += step) {
    const int64_t count = std::min(step, from.numel() - first);
    const uint64_t offset = info.offset + static_cast<uint64_t>(first * width);
    const auto bytes = static_cast<uint64_t>(count * width);
    mapping_->read_ahead(name, offset, bytes);
    at::Tensor piece = from.narrow(0, first, count);
    // Only the narrower of the two dtypes crosses to a device.
    if (!out.is_cpu() && out.element_size() < width) {
      piece = piece.to(out.scalar_type());
    }
    to.narrow(0, first, count).copy_(piece.to(out.device()));
    mapping_->give_back(offset, bytes);
    if (on_bytes) on_bytes(bytes);
  }
}

void SafetensorsFile::read_ahead(const std::string& name) const {
  const TensorInfo& info = this->info(name);
  mapping_->read_ahead(name, info.offset, info.bytes);
}

void SafetensorsFile::give_back(const std::string& name) const {
  const TensorInfo& info = this->info(name);
  mapping_->give_back(info.offset, info.bytes);
}

}  // namespace reel::weights
