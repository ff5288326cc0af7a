#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reel/gen/generator.h"

namespace reel::engine {

struct Options {
  std::filesystem::path model_path;
  std::string model_id;     // the published name; "": what the path tells
  std::string served_name;  // "": the id, else the path
  std::map<std::string, std::filesystem::path> component_paths;
  std::string device = "auto";  // "auto", "cpu", "cuda"
  int threads = 0;              // of the CPU; 0: as many as cores
  std::string dit_precision = "bf16";
  std::string vae_precision = "fp32";
  std::string text_encoder_precision = "bf16";
  std::string image_encoder_precision = "fp32";
  bool vae_tiling = false;
  std::optional<double> flow_shift;
  std::vector<int> dmd_denoising_steps, denoising_step_list;  // none: the model's own, if any
  bool warm_up = true;
  std::vector<gen::Size> warm_up_sizes;  // none: one small one
  int warm_up_steps = 1;
  std::filesystem::path dump;  // a folder for the tensors of every generation; "": none
};

/// The model on its devices: a Generator. Whole when constructed as far as the folder's
/// configuration goes; the weights are loaded after that, in a thread of its own.
class Engine final : public gen::Generator {
 public:
  /// Throws Error(BadModel) for a folder that is no model we serve, Error(InvalidArgument) for
  /// options that cannot be.
  explicit Engine(Options options);
  ~Engine() override;

  const gen::Description& describe() const override;
  gen::State state() const override;
  gen::ResolvedRequest check(const gen::VideoRequest& request) const override;
  int slots() const override { return 1; }
  gen::Outcome generate(const gen::ResolvedRequest& request, int output,
                        const gen::Snapshot* snapshot, gen::FrameSink& sink,
                        gen::Control& control) override;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace reel::engine
