#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "reel/weights/safetensors.h"

namespace reel::weights {

/// How a dtype is called in the format: "BF16"; null if the format has no name for it.
const char* name_of(at::ScalarType dtype);

/// A tensor's name in a message: quoted, escaped and not longer than a line.
std::string quote(std::string_view name);

struct SafetensorsHeader {
  std::map<std::string, TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
};

/// Parses and checks the JSON of a header. The data's `data_bytes` begin at `data_offset` in the
/// file. Memory in use grows with the entries that are sound, never with what they claim.
/// Throws Error(BadModel) that names `file` and the tensor.
SafetensorsHeader parse_header(std::string_view json, uint64_t data_offset, uint64_t data_bytes,
                               const std::string& file);

}  // namespace reel::weights
