#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reel::config {

struct Component {
  std::string library;     // "diffusers"
  std::string class_name;  // "AutoencoderKLWan"
};

/// `model_index.json`: what a pipeline is made of.
struct ModelIndex {
  std::string class_name;                       // "WanPipeline", "WanImageToVideoPipeline", …
  std::map<std::string, Component> components;  // by folder; those that are null are left out
  std::optional<double> boundary_ratio;         // where the second expert takes over
  bool expand_timesteps = false;                // a time step for each token: TI2V-5B

  /// Diffusers' pipeline of image to video, or TurboWan's name for it.
  bool is_image_to_video() const;

  /// Whether a picture comes to the transformer as channels beside the latents: all of image to
  /// video but TI2V-5B.
  bool sees_image_channels() const { return is_image_to_video() && !expand_timesteps; }

  bool has(const std::string& component) const { return components.contains(component); }

  /// What cannot be served, a sentence each; empty when all is well.
  std::vector<std::string> problems() const;
};

/// Throws Error(BadModel) naming the file, the key, what was expected and what was found.
ModelIndex read_model_index(const std::filesystem::path& file);

/// A family that classes may not tell: its transformer takes noise, a picture and a control, each
/// of as many channels as go out, and perhaps a mask.
inline constexpr const char* kFunControl = "Wan Fun-Control (a control video)";

/// "X is Wan-Animate (…), which is not served", for the name of a class or repository of such a
/// family of Wan; "" for any other.
std::string other_family(const std::string& name);

/// A model's folder in the Diffusers layout, each of its components in a folder of its own.
struct ModelFolder {
  std::filesystem::path path;
  ModelIndex index;
  std::map<std::string, std::filesystem::path> components;  // name to folder; null ones left out
  std::map<std::string, std::filesystem::path> weights{};   // name to file, of those given as one

  /// Throws Error(BadModel) if the model has none of that name.
  const std::filesystem::path& component(const std::string& name) const;
};

/// Opens `path` and looks for every file that serving needs before any is read at length.
/// `overrides`: a folder that stands in for a component's own, or a safetensors file for its
/// weights. Throws Error(BadModel) listing all that is missing, or saying that this is no model we
/// serve.
ModelFolder open_model_folder(const std::filesystem::path& path,
                              const std::map<std::string, std::filesystem::path>& overrides = {});

}  // namespace reel::config
