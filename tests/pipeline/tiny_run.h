#pragma once

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/models/wan_native_names.h"
#include "reel/pipeline/wan_pipeline.h"
#include "temporary_folder.h"

/// The runs of whole tiny pipelines that Diffusers' own were recorded of.
namespace reel::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;
using Ask = gen::Control::Ask;

// Four times what equally right runs of Diffusers differ by. On a GPU rounding goes other ways from
// the first step on: half of one level of a byte for frames.
inline const double kPromptL2 = test::bound(1e-5), kLatentL2 = test::bound(1e-4, 5e-4),
                    kFrameMax = test::bound(3e-4, 2e-3);

class Frames final : public gen::FrameSink {
 public:
  void begin(const gen::VideoFormat& f) override { format = f; }
  void write(gen::Frames frames) override { count += frames.count; }

  gen::VideoFormat format;
  int count = 0;
};

/// Goes on until it has been asked `asks` times, then asks for `then`.
class AskAfter final : public gen::Control {
 public:
  explicit AskAfter(int asks = 1 << 30, Ask then = Ask::GoOn) : left_(asks), then_(then) {}
  Ask ask() override { return left_-- > 0 ? Ask::GoOn : then_; }
  void report(const gen::Progress& progress) override { reports.push_back(progress); }
  void preview(gen::Image image) override {
    previews.emplace_back(reports.back().step, std::move(image));
  }

  std::vector<gen::Progress> reports;
  std::vector<std::pair<int, gen::Image>> previews;  // after which step

 private:
  int left_;
  Ask then_;
};

inline gen::ResolvedRequest request_of(const test::Golden& golden, const fs::path& model) {
  const auto r = json::parse(golden.metadata("request"));
  const auto index = json::parse(std::ifstream(model / "model_index.json"));
  gen::ResolvedRequest request;
  request.prompt = r.at("prompt");
  request.negative_prompt = r.value("negative_prompt", "");
  request.width = r.at("width");
  request.height = r.at("height");
  request.num_frames = r.at("num_frames").get<int>() / 4 * 4 + 1;
  request.fps = 16;
  request.seeds = {r.at("seed").get<uint64_t>()};
  request.generator_device = "cpu";
  request.num_inference_steps = r.at("num_inference_steps");
  request.guidance_scale = r.at("guidance_scale");
  request.guidance_scale_2 = r.contains("guidance_scale_2") && r["guidance_scale_2"].is_number()
                                 ? r["guidance_scale_2"].get<double>()
                                 : request.guidance_scale;
  const auto scheduler = json::parse(std::ifstream(model / "scheduler/scheduler_config.json"));
  request.flow_shift = r.contains("flow_shift") && r["flow_shift"].is_number()
                           ? r["flow_shift"].get<double>()
                           : scheduler.value("flow_shift", scheduler.value("shift", 1.0));
  if (index.contains("boundary_ratio") && index["boundary_ratio"].is_number()) {
    request.boundary_ratio = index["boundary_ratio"].get<double>();
  }
  if (r.contains("conditioning_scale")) {
    const auto transformer = json::parse(std::ifstream(model / "transformer/config.json"));
    const auto& scale = r["conditioning_scale"];
    request.conditioning_scale =
        scale.is_array() ? scale.get<std::vector<double>>()
                         : std::vector<double>(transformer.at("vace_layers").size(), scale);
  }
  request.dmd_denoising_steps = r.value("dmd_denoising_steps", std::vector<int>{});
  request.denoising_step_list = r.value("denoising_step_list", std::vector<int>{});
  if (r.contains("strength")) request.strength = r["strength"].get<double>();
  request.max_sequence_length = r.at("max_sequence_length");
  return request;
}

/// One run's tensors, by the golden's names.
class TinyRun {
 public:
  explicit TinyRun(const std::string& name) : golden(name), model(golden_model()) {
    request = request_of(golden, model);
    request.inputs.image = picture("in.image");
    request.inputs.last_image = picture("in.last_image");
    request.inputs.video = video("in.video");
    request.inputs.mask = video("in.mask");
    for (int i = 0; auto reference = picture("in.reference_images." + std::to_string(i)); ++i) {
      request.inputs.reference_images.push_back(*reference);
    }
    overrides = golden_scheduler();
  }

  void make() {
    const c10::InferenceMode inference;
    Options options;
    options.device = test::device();
    options.dit = dit;
    options.text_encoder = text_encoder;
    WanPipeline pipeline(config::open_model_folder(model, overrides), options,
                         [](std::string_view, uint64_t, uint64_t) {});
    pipeline.dump_to(folder.path() / "dump");
    AskAfter control;
    dist::SoloGroup group;
    outcome = pipeline.generate(request, 0, nullptr, sink, control, group);
    reports = control.reports;
    previews = control.previews;
    made = std::make_unique<weights::SafetensorsFile>(folder.path() / "dump/tensors.safetensors");
  }

  /// Null if all is as Diffusers has it, else the first tensor that is not.
  std::string first_difference() const {
    for (const auto& [name, info] : golden.file.tensors()) {
      if (name.starts_with("bf16.") || name.starts_with("in.")) continue;
      if (!made->tensors().contains(name)) return name + " is missing";
      const auto ours = made->tensor(name), theirs = golden.host(name);
      const bool ids = !theirs.is_floating_point();
      const bool same = ids                        ? at::equal(ours, theirs)
                        : name == "frames"         ? test::max_abs(ours, theirs) <= kFrameMax
                        : name.ends_with("embeds") ? test::relative_l2(ours, theirs) <= kPromptL2
                                                   : test::relative_l2(ours, theirs) <= kLatentL2;
      if (!same) return name;
    }
    return {};
  }

  std::optional<gen::ImageInput> picture(const std::string& name) const {
    const auto frames = video(name);
    if (!frames) return std::nullopt;
    gen::ImageInput input{
        .field = name, .width = frames->width, .height = frames->height, .frames = 1};
    input.content =
        std::make_shared<gen::Image>(gen::Image{input.width, input.height, frames->content->rgb});
    return input;
  }

  std::optional<gen::VideoInput> video(const std::string& name) const {
    if (!golden.file.tensors().contains(name)) return std::nullopt;
    const auto rgb = golden.host(name).contiguous();
    const auto size = [&](int64_t from_the_end) {
      return static_cast<int>(rgb.size(-from_the_end));
    };
    const int count = rgb.dim() == 4 ? size(4) : 1;
    const auto* bytes = rgb.const_data_ptr<uint8_t>();
    gen::VideoInput input{.field = name, .width = size(2), .height = size(3), .frames = count};
    input.content = std::make_shared<gen::Frames>(gen::Frames{
        count, input.width, input.height, std::vector<uint8_t>(bytes, bytes + rgb.numel())});
    return input;
  }

  /// A copy of `component` that may be written to, put in its place.
  fs::path own(const std::string& component) {
    const fs::path copy = folder.path() / component;
    fs::copy(model / component, copy, fs::copy_options::recursive);
    overrides[component] = copy;
    return copy;
  }

  /// Makes one of a component's tensors zero.
  void zero(const std::string& component, const std::string& stem, const std::string& name) {
    const fs::path path = own(component) / (stem + ".safetensors");
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    {
      const weights::SafetensorsFile file(path);
      ASSERT_TRUE(file.tensors().contains(name));
      for (const auto& [key, info] : file.tensors()) {
        tensors.emplace_back(key, file.tensor(key).clone());
        if (key == name) tensors.back().second.zero_();
      }
    }
    weights::write_safetensors(path, tensors);
  }

  /// Puts in place of a transformer's weights one file of Wan-Video's own names for them.
  void make_native(const std::string& component, const std::string& prefix) {
    const weights::Checkpoint checkpoint(model / component, "diffusion_pytorch_model");
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (const auto& [name, place] : checkpoint.names()) {
      tensors.emplace_back(prefix + models::native_name(name),
                           checkpoint.file_of(name)->tensor(name));
    }
    const fs::path file = folder.path() / (component + ".safetensors");
    weights::write_safetensors(file, tensors);
    overrides[component] = file;
  }

  test::TemporaryFolder folder;
  test::Golden golden;
  fs::path model;
  gen::ResolvedRequest request;
  std::map<std::string, fs::path> overrides;
  at::ScalarType dit = at::kFloat, text_encoder = at::kFloat;
  Frames sink;
  gen::Outcome outcome;
  std::vector<gen::Progress> reports;
  std::vector<std::pair<int, gen::Image>> previews;
  std::unique_ptr<weights::SafetensorsFile> made;

 private:
  fs::path golden_model() const { return test::golden_folder() / golden.metadata("model"); }

  /// The golden's own scheduler, which may not be the folder's.
  std::map<std::string, fs::path> golden_scheduler() {
    const auto wanted = json::parse(golden.metadata("scheduler"));
    const fs::path own = folder.path() / "golden_scheduler";
    fs::create_directories(own);
    std::ofstream(own / "scheduler_config.json") << wanted.dump();
    request.flow_shift = wanted.value("shift", request.flow_shift);
    return {{"scheduler", own}};
  }
};

}  // namespace reel::pipeline
