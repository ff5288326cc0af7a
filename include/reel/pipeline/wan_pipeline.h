#pragma once

#include <ATen/core/ScalarType.h>
#include <c10/core/Device.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "reel/config/model_index.h"
#include "reel/dist/group.h"
#include "reel/gen/generator.h"

namespace reel::pipeline {

struct Options {
  c10::Device device = c10::kCPU;
  c10::ScalarType dit = c10::kBFloat16;
  c10::ScalarType vae = c10::kFloat;
  c10::ScalarType text_encoder = c10::kBFloat16;
  c10::ScalarType image_encoder = c10::kFloat;
  bool vae_tiling = false;
};

/// Text, or a picture and text, to video: prompt → embeddings → latents → frames. One rank's; its
/// calls are made on that rank's thread.
class WanPipeline {
 public:
  /// `stage` is what is being loaded; `bytes` of the files' `total_bytes` are done.
  using OnLoad = std::function<void(std::string_view stage, uint64_t bytes, uint64_t total_bytes)>;

  /// Loads every component. Throws Error(BadModel).
  WanPipeline(const config::ModelFolder& folder, const Options& options, const OnLoad& on_load);
  ~WanPipeline();

  /// From now on the tensors of every generation go to this folder.
  void dump_to(std::filesystem::path folder) { dump_ = std::move(folder); }

  /// As gen::Generator::generate.
  gen::Outcome generate(const gen::ResolvedRequest& request, int output,
                        const gen::Snapshot* snapshot, gen::FrameSink& sink, gen::Control& control,
                        dist::Group& group);

  /// Frees what is kept of earlier videos' prompts, pictures and videos.
  void forget();

 private:
  struct Components;
  std::unique_ptr<Components> components_;
  Options options_;
  std::filesystem::path dump_;  // "": none
};

}  // namespace reel::pipeline
