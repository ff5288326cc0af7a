#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reel/base/error.h"
#include "reel/base/part_file.h"
#include "reel/weights/safetensors.h"
#include "safetensors_header.h"

namespace reel::weights {

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
  file.write({reinterpret_cast<const char*>(&length), sizeof(length)});
  file.write(text);
  for (const auto& entry : order) {
    const at::Tensor whole = entry.second.to(at::kCPU).contiguous();
    file.write({static_cast<const char*>(whole.data_ptr()), whole.nbytes()});
  }
  file.commit();
}

}  // namespace reel::weights
