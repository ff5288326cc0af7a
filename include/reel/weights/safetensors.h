#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace reel::weights {

/// One tensor's entry in a safetensors header.
struct TensorInfo {
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // of its first byte in the file
  uint64_t bytes = 0;
};

/// A memory-mapped safetensors file.
///
/// The header is trusted in nothing: its length, JSON, dtypes, shapes (overflow), offsets
/// (overlaps, holes, end of file) and duplicate names are checked before anything is allocated.
class SafetensorsFile {
 public:
  /// Throws Error(BadModel) naming file and tensor.
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  const std::filesystem::path& path() const;
  const std::map<std::string, TensorInfo>& tensors() const;
  const std::map<std::string, std::string>& metadata() const;

  /// Throws Error(BadModel) if there is none of that name.
  const TensorInfo& info(const std::string& name) const;

  /// A view of the mapping, which it keeps alive; a copy if the file does not align it to its
  /// dtype. The mapping is read only: writing into the view ends the process.
  /// Throws Error(BadModel) if there is none of that name.
  at::Tensor tensor(const std::string& name) const;

  /// Fills `out` (contiguous, same shape, any dtype and device) piece by piece, and gives each
  /// piece's pages of the mapping back: the file and its cast are never in memory together.
  /// `on_bytes` gets the bytes of the file that each piece took. Throws as read_ahead.
  void copy_to(const at::Tensor& out, const std::string& name,
               const std::function<void(uint64_t)>& on_bytes = {}) const;

  /// Reads the tensor's pages in. Throws Error(BadModel) if the file has been cut short or cannot
  /// be read: touching it would then end the process.
  void read_ahead(const std::string& name) const;

  /// Lets the tensor's pages go; they are read again when they are touched.
  void give_back(const std::string& name) const;

 private:
  struct Mapping;
  std::shared_ptr<Mapping> mapping_;
};

/// Writes contiguous CPU copies of `tensors` to `path`, through a temporary name beside it.
/// Throws Error(StorageFull) or Error(Internal); nothing half-written stays.
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace reel::weights
