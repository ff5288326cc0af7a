#include "describe.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "reel/base/error.h"
#include "reel/config/model_defaults.h"
#include "reel/config/wan_transformer_config.h"

namespace reel::engine {
namespace {

/// Those of the published model that the options name, else the folder's own `reel.json`, else
/// those of the published model that the folder is like.
std::optional<config::ModelDefaults> given_defaults(const config::ModelFolder& folder,
                                                    const Options& options) {
  if (options.model_id.empty()) {
    if (auto known = config::find_published(options.model_path.string())) return known;
    if (auto own = config::own_defaults(options.model_path)) return own;
    return config::find_alike(folder);
  }
  if (auto found = config::find_published(options.model_id)) return found;
  if (const auto family = config::other_family(options.model_id); !family.empty()) {
    throw Error(ErrorCode::InvalidArgument, "--model-id: " + family);
  }
  std::string known;
  for (const auto& model : config::published_models()) {
    known += (known.empty() ? "" : ", ") + model.ids.front();
  }
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("--model-id: expected one of {}, got '{}'", known, options.model_id));
}

std::string first_of(std::initializer_list<std::string> names) {
  for (const auto& name : names) {
    if (!name.empty()) return name;
  }
  return {};
}

/// With U+FFFD for what is no UTF-8, as names of files may be, replies and metrics may not.
std::string utf8(const std::string& text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace))
      .get<std::string>();
}

/// As Diffusers' pipelines take pictures and videos.
gen::Takes takes_of(const config::ModelIndex& index,
                    const config::WanTransformerConfig& transformer) {
  using gen::Take;
  gen::Takes takes;
  if (!transformer.vace_layers.empty()) {
    takes.video = takes.mask = takes.reference_images = Take::Optional;
    takes.conditioning_layers = static_cast<int>(transformer.vace_layers.size());
    return takes;
  }
  if (!index.sees_image_channels()) {
    takes.image = index.is_image_to_video() ? Take::Required
                  : index.expand_timesteps  ? Take::Optional
                                            : Take::No;
    if (takes.image == Take::No && !index.has("transformer_2")) {
      takes.video = index.class_name == "WanVideoToVideoPipeline" ? Take::Required : Take::Optional;
      takes.strength = 0.8;
    }
    return takes;
  }
  takes.image = Take::Required;
  takes.last_image = transformer.pos_embed_seq_len ? Take::Required
                     : transformer.image_dim       ? Take::No
                                                   : Take::Optional;
  return takes;
}

const char* task_of(const gen::Takes& takes) {
  if (takes.conditioning_layers > 0) return "VACE";
  if (takes.video == gen::Take::Required) return "V2V";
  if (takes.last_image == gen::Take::Required) return "FLF2V";
  if (takes.image == gen::Take::Required) return "I2V";
  return takes.image == gen::Take::Optional ? "TI2V" : "T2V";
}

}  // namespace

gen::Description describe(const config::ModelFolder& folder, const Options& options,
                          const std::string& device) {
  const auto vae = config::read_wan_vae_config(folder.component("vae") / "config.json");
  const auto transformer =
      config::read_wan_transformer_config(folder.component("transformer") / "config.json");
  const auto scheduler = config::scheduler_config_of(folder);
  const auto given = given_defaults(folder, options);
  auto defaults = given ? *given : config::defaults_of(folder.index, vae, scheduler);
  const bool dmd = !options.dmd_denoising_steps.empty();
  if (dmd || !options.denoising_step_list.empty()) {
    defaults.dmd_denoising_steps = options.dmd_denoising_steps;
    defaults.denoising_step_list = options.denoising_step_list;
    for (const auto& problem : defaults.problems()) {
      throw Error(
          ErrorCode::InvalidArgument,
          fmt::format("{}: {}", dmd ? "--dmd-denoising-steps" : "--denoising-step-list", problem));
    }
  }
  const bool two_experts = folder.index.has("transformer_2");

  gen::Description d;
  d.model_path = options.model_path.string();
  d.model = utf8(first_of({options.served_name, options.model_id, d.model_path}));
  d.pipeline = folder.index.class_name;
  d.takes = takes_of(folder.index, transformer);
  d.task = task_of(d.takes);
  d.dit_precision = options.dit_precision;
  d.vae_precision = options.vae_precision;
  d.device = device;
  d.num_gpus = device == "cpu" ? 0 : 1;
  for (const auto& size : defaults.sizes) {
    d.sizes.push_back({static_cast<int>(size.width), static_cast<int>(size.height)});
  }
  const auto largest_patch = std::max(transformer.patch_size[1], transformer.patch_size[2]);
  d.size_multiple = static_cast<int>(vae.scale_factor_spatial * largest_patch);
  d.max_side = static_cast<int>(transformer.rope_max_seq_len * d.size_multiple);
  const auto possible = [&](int64_t side) {
    return static_cast<int>(std::min<int64_t>(side, d.max_side)) / d.size_multiple *
           d.size_multiple;
  };
  d.size = {possible(defaults.width), possible(defaults.height)};
  d.num_frames = static_cast<int>(defaults.num_frames);
  d.frame_multiple = static_cast<int>(vae.scale_factor_temporal);
  d.max_frames = static_cast<int>((transformer.rope_max_seq_len * transformer.patch_size[0] - 1) *
                                      vae.scale_factor_temporal +
                                  1);
  d.fps = static_cast<int>(defaults.fps);
  d.num_inference_steps = static_cast<int>(defaults.num_inference_steps);
  d.guidance_scale = defaults.guidance_scale;
  if (two_experts) {
    d.guidance_scale_2 = defaults.guidance_scale_2;
    d.boundary_ratio =
        defaults.boundary_ratio ? defaults.boundary_ratio : folder.index.boundary_ratio;
  }
  d.flow_shift = options.flow_shift.value_or(defaults.flow_shift);
  d.dmd_denoising_steps = defaults.dmd_denoising_steps;
  d.denoising_step_list = defaults.denoising_step_list;
  if (d.distilled_steps() > 0) {
    d.num_inference_steps = d.distilled_steps();
    d.guidance_scale = 1;
    d.guidance_scale_2.reset();
  }
  if (!d.dmd_denoising_steps.empty()) {
    d.takes.video = gen::Take::No;
    d.takes.strength.reset();
  }
  d.max_sequence_length = static_cast<int>(defaults.max_sequence_length);
  d.negative_prompt = defaults.negative_prompt;
  return d;
}

}  // namespace reel::engine
