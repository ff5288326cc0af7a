#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace reel::pipeline {

/// What one generation computed, kept for whoever doubts it: embeddings, latents after each step,
/// frames. Does nothing when made without a folder.
class Dump {
 public:
  explicit Dump(std::filesystem::path folder) : folder_(std::move(folder)) {}

  bool wanted() const { return !folder_.empty(); }
  void add(const std::string& name, const at::Tensor& tensor);

  /// Writes `folder/tensors.safetensors`: floating tensors as fp32.
  void write() const;

 private:
  std::filesystem::path folder_;
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
};

}  // namespace reel::pipeline
