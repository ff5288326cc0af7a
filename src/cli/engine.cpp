#include "reel/engine/engine.h"

#include <fmt/format.h>

#include "generators.h"
#include "reel/base/error.h"

namespace reel::cli {
namespace {

gen::Size parse_size(const std::string& text) {
  gen::Size size;
  char end = 0;
  const bool read = std::sscanf(text.c_str(), "%dx%d%c", &size.width, &size.height, &end) == 2;
  require(read && size.width > 0 && size.height > 0,
          fmt::format("--warmup-resolutions: expected WIDTHxHEIGHT, got '{}'", text));
  return size;
}

}  // namespace

std::unique_ptr<gen::Generator> make_engine(const ModelFlags& flags, const std::string& dump) {
  engine::Options options;
  options.model_path = flags.model_path;
  options.model_id = flags.model_id;
  options.served_name = flags.served_model_name;
  options.component_paths = {flags.component_paths.begin(), flags.component_paths.end()};
  options.device = flags.device;
  options.threads = flags.threads;
  options.dit_precision = flags.dit_precision;
  options.vae_precision = flags.vae_precision;
  options.text_encoder_precision = flags.text_encoder_precision;
  options.vae_tiling = flags.vae_tiling;
  options.flow_shift = flags.flow_shift;
  options.warm_up = flags.warmup_mode != "off";
  for (const auto& size : flags.warmup_resolutions) {
    options.warm_up_sizes.push_back(parse_size(size));
  }
  options.warm_up_steps = flags.warmup_steps;
  options.dump = dump;
  return std::make_unique<engine::Engine>(std::move(options));
}

}  // namespace reel::cli
