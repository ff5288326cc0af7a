#include "dump.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "reel/base/error.h"
#include "reel/weights/safetensors.h"

namespace reel::pipeline {

void Dump::add(const std::string& name, const at::Tensor& tensor) {
  if (!wanted()) return;
  const auto dtype = tensor.is_floating_point() ? at::kFloat : tensor.scalar_type();
  tensors_.emplace_back(name, tensor.to(at::kCPU, dtype, false, /*copy=*/true));
}

void Dump::write() const {
  if (!wanted()) return;
  std::error_code fault;
  std::filesystem::create_directories(folder_, fault);
  if (fault) {
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("dump {}: {}", folder_.string(), fault.message()), "dump");
  }
  weights::write_safetensors(folder_ / "tensors.safetensors", tensors_);
}

}  // namespace reel::pipeline
