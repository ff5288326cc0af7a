#include "reel/pipeline/wan_pipeline.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <tuple>

#include "decode.h"
#include "denoise.h"
#include "image_stage.h"
#include "latent_preview.h"
#include "lru_cache.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/models/wan_native_names.h"
#include "reel/nn/attention.h"
#include "reel/sampling/noise.h"
#include "reel/weights/checkpoint.h"
#include "text_stage.h"

namespace reel::pipeline {
namespace {

/// Loads components one after another and tells how far all of them are.
class Loading {
 public:
  explicit Loading(const WanPipeline::OnLoad& on_load) : on_load_(on_load) {}

  void add(std::string name, weights::Checkpoint checkpoint, weights::ParamSet& params,
           weights::LoadOptions options = {}) {
    parts_.push_back({std::move(name), std::move(checkpoint), &params, std::move(options)});
    parts_.back().bytes = bytes_of(parts_.back().checkpoint);
    total_ += parts_.back().bytes;
  }

  void run() {
    uint64_t before = 0;
    for (Part& part : parts_) {
      part.options.on_progress = [&](const weights::LoadProgress& progress) {
        on_load_(part.name, before + progress.bytes, total_);
      };
      weights::load(*part.params, part.checkpoint, part.options);
      before += part.bytes;
    }
  }

 private:
  struct Part {
    std::string name;
    weights::Checkpoint checkpoint;
    weights::ParamSet* params;
    weights::LoadOptions options;
    uint64_t bytes = 0;
  };

  static uint64_t bytes_of(const weights::Checkpoint& checkpoint) {
    uint64_t bytes = 0;
    for (const auto& [name, file] : checkpoint.names()) {
      bytes += checkpoint.file_of(name)->tensors().at(name).bytes;
    }
    return bytes;
  }

  const WanPipeline::OnLoad& on_load_;
  std::vector<Part> parts_;
  uint64_t total_ = 0;
};

weights::Checkpoint checkpoint_of(const config::ModelFolder& folder, const std::string& component,
                                  std::string_view stem) {
  const auto file = folder.weights.find(component);
  return file == folder.weights.end() ? weights::Checkpoint(folder.component(component), stem)
                                      : weights::Checkpoint(file->second);
}

config::WanTransformerConfig transformer_config(const config::ModelFolder& folder,
                                                const std::string& component) {
  return config::read_wan_transformer_config(folder.component(component) / "config.json");
}

/// Components may come from different folders: what one hands on, the next has to take.
void check_fit(const std::string& name, const config::WanTransformerConfig& transformer,
               int64_t text_width, int64_t latent_channels, int64_t image_channels,
               int64_t control_channels, const std::optional<ImageStage>& images) {
  const auto expect = [&](const char* key, int64_t got, const char* of, int64_t expected) {
    if (got != expected) {
      throw Error(ErrorCode::BadModel,
                  fmt::format("{}: {}: expected {}, the {}, got {}", name, key, expected, of, got));
    }
  };
  expect("text_dim", transformer.text_dim, "text encoder's d_model", text_width);
  if (transformer.out_channels == latent_channels &&
      transformer.in_channels >= 3 * latent_channels &&
      transformer.in_channels != latent_channels + image_channels) {
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: in_channels: {} is of {}, which is not served", name,
                            transformer.in_channels, config::kFunControl));
  }
  expect("in_channels", transformer.in_channels,
         image_channels ? "VAE's z_dim, a mask and z_dim again" : "VAE's z_dim",
         latent_channels + image_channels);
  if (transformer.image_dim.has_value() != images.has_value()) {
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: image_dim: expected in both transformers or in neither", name));
  }
  if (images) {
    expect("image_dim", *transformer.image_dim, "image encoder's hidden_size", images->width());
  }
  if (images && transformer.pos_embed_seq_len) {
    expect("pos_embed_seq_len", *transformer.pos_embed_seq_len, "tokens of two pictures",
           2 * images->tokens());
  }
  if (!transformer.vace_layers.empty()) {
    expect("vace_in_channels", transformer.vace_in_channels,
           "VAE's z_dim twice, and a channel for each of a latent's pixels", control_channels);
  }
  expect("out_channels", transformer.out_channels, "VAE's z_dim", latent_channels);
}

/// The folder's own, unless the model was distilled for few steps.
std::unique_ptr<sampling::Scheduler> scheduler_of(const gen::ResolvedRequest& request,
                                                  const config::SchedulerConfig& config) {
  const int timesteps = config.num_train_timesteps;
  const auto& [dmd, euler] = std::tie(request.dmd_denoising_steps, request.denoising_step_list);
  if (!dmd.empty()) return sampling::make_dmd_scheduler(dmd, request.flow_shift, timesteps);
  if (!euler.empty()) return sampling::make_euler_scheduler(euler, request.flow_shift, timesteps);
  return sampling::make_scheduler(config, request.num_inference_steps, request.flow_shift);
}

constexpr const char* kDiffusersStem = "diffusion_pytorch_model";
constexpr const char* kTransformersStem = "model";

}  // namespace

struct WanPipeline::Components {
  Components(const config::ModelFolder& folder, const Options& options)
      : text(folder.component("tokenizer"),
             config::read_umt5_config(folder.component("text_encoder") / "config.json"),
             options.device, options.text_encoder),
        high_noise(transformer_config(folder, "transformer"), options.device, options.dit),
        vae_config(config::read_wan_vae_config(folder.component("vae") / "config.json")),
        vae_params(options.device, options.vae),
        vae(weights::ParamScope(vae_params), vae_config),
        vae_encoder(weights::ParamScope(vae_params), vae_config),
        image_channels(folder.index.sees_image_channels()
                           ? vae_config.scale_factor_temporal + vae_config.z_dim
                           : 0),
        scheduler(config::scheduler_config_of(folder)) {
    if (high_noise.model.config.image_dim) {
      images.emplace(folder.component("image_encoder"), folder.component("image_processor"),
                     options.device, options.image_encoder);
    }
    if (folder.index.has("transformer_2")) {
      low_noise.emplace(transformer_config(folder, "transformer_2"), options.device, options.dit);
      check("transformer_2", *low_noise);
    }
    check("transformer", high_noise);
  }

  void check(const std::string& name, const Expert& expert) const {
    const auto side = vae_config.scale_factor_spatial;
    check_fit(name, expert.model.config, text.width(), vae_config.z_dim, image_channels,
              2 * vae_config.z_dim + side * side, images);
  }

  bool vace() const { return !high_noise.model.config.vace_layers.empty(); }

  /// What the request's pictures and video come to; nothing if it was stopped. What it took is told
  /// to `outcome`.
  std::optional<Condition> condition(const gen::ResolvedRequest& request, const Options& options,
                                     const KeepOn& keep_on, gen::Outcome& outcome) {
    if (!gen::any(request.inputs) && !vace()) return Condition{};
    const auto key = key_of(request);
    if (key) {
      if (auto found = conditions.find(*key)) return found;
    }
    const auto& [image, last] = std::tie(request.inputs.image, request.inputs.last_image);
    Condition made;
    Stopwatch watch;
    if (images) {
      std::vector<const gen::Image*> seen{image->content.get()};
      if (last) seen.push_back(last->content.get());
      made.views_NIC = images->encode(seen);
      outcome.image_seconds = watch.seconds();
    }
    const auto latents = [&](auto encode, at::Tensor& of) {
      watch.restart();
      const auto encoded = encode(vae_encoder, vae_config, request, options.vae_tiling, keep_on);
      outcome.encode_seconds = watch.seconds();
      if (encoded) of = *encoded;
      return encoded.has_value();
    };
    if (!(vace()                 ? latents(vace_control, made.control_1CThw)
          : request.inputs.video ? latents(video_latents, made.video_1CThw)
          : image_channels       ? latents(pipeline::image_channels, made.channels_1CThw)
                                 : latents(first_frame, made.first_1C1hw))) {
      return std::nullopt;
    }
    if (key) conditions.insert(*key, made);
    return made;
  }

  /// What the condition depends on; nothing if an input is no file's.
  static std::optional<std::string> key_of(const gen::ResolvedRequest& request) {
    auto key = fmt::format("{}x{}x{}", request.width, request.height, request.num_frames);
    bool known = true;
    gen::for_each(request.inputs, [&](const char* name, const auto& input) {
      key += fmt::format(" {} {}", name, input.sha256);
      known = known && !input.sha256.empty();
    });
    return known ? std::optional(key) : std::nullopt;
  }

  /// Made when the first is asked for.
  const LatentPreview& preview_for(at::Device device) {
    if (!preview) preview.emplace(vae, vae_config.z_dim, device);
    return *preview;
  }

  TextStage text;
  Expert high_noise;
  std::optional<Expert> low_noise;
  config::WanVaeConfig vae_config;
  weights::ParamSet vae_params;
  models::WanVaeDecoder vae;
  models::WanVaeEncoder vae_encoder;
  int64_t image_channels;  // that a picture adds to the transformer's input; 0: it takes none
  std::optional<ImageStage> images;
  LruCache<std::string, Condition> conditions{4};
  std::optional<LatentPreview> preview;
  config::SchedulerConfig scheduler;
  std::string fingerprint;
};

WanPipeline::WanPipeline(const config::ModelFolder& folder, const Options& options,
                         const OnLoad& on_load)
    : components_(std::make_unique<Components>(folder, options)), options_(options) {
  nn::log_attention(options.device);
  auto& c = *components_;
  Loading loading(on_load);
  const auto add_transformer = [&](const char* name, const char* component, Expert& expert) {
    auto checkpoint = checkpoint_of(folder, component, kDiffusersStem);
    auto load_options = models::WanTransformer::load_options();
    load_options.aliases = models::native_names(expert.params, checkpoint);
    loading.add(name, std::move(checkpoint), expert.params, std::move(load_options));
  };
  loading.add("text encoder", checkpoint_of(folder, "text_encoder", kTransformersStem),
              c.text.params(), models::Umt5Encoder::load_options());
  add_transformer("transformer", "transformer", c.high_noise);
  if (c.low_noise) add_transformer("transformer 2", "transformer_2", *c.low_noise);
  loading.add("VAE", checkpoint_of(folder, "vae", kDiffusersStem), c.vae_params);
  if (c.images) {
    loading.add("image encoder", checkpoint_of(folder, "image_encoder", kTransformersStem),
                c.images->params(), c.images->load_options());
  }
  loading.run();
  c.fingerprint =
      fmt::format("{} {} {} {} {} {} {}", REEL_VERSION, folder.path.string(), options.device.str(),
                  toString(options.dit), toString(options.text_encoder),
                  toString(options.image_encoder), c.low_noise.has_value());
}

WanPipeline::~WanPipeline() = default;

void WanPipeline::forget() {
  components_->text.forget();
  components_->conditions.clear();
}

gen::Outcome WanPipeline::generate(const gen::ResolvedRequest& request, int output,
                                   const gen::Snapshot* snapshot, gen::FrameSink& sink,
                                   gen::Control& control, dist::Group& group) {
  using Ask = gen::Control::Ask;
  auto& c = *components_;
  gen::Outcome outcome;
  Dump dump(output == 0 || dump_.empty() ? dump_ : dump_ / std::to_string(output));
  if (snapshot && snapshot->fingerprint != c.fingerprint) {
    throw Error(ErrorCode::Conflict, "snapshot: it was made by another model, device or build");
  }

  // 1. Prompts
  Stopwatch watch;
  control.report({gen::Stage::TextEncoding, 0, 1});
  const bool guided = request.guidance_scale > 1;
  const auto positive = c.text.encode(request.prompt, request.max_sequence_length);
  dump_prompt(dump, "", positive, request.max_sequence_length);
  PromptPair prompts{positive.embeds_1LD.to(options_.dit), {}};
  if (guided) {
    const auto negative = c.text.encode(request.negative_prompt, request.max_sequence_length);
    dump_prompt(dump, "negative_", negative, request.max_sequence_length);
    prompts.negative = negative.embeds_1LD.to(options_.dit);
  }
  outcome.text_seconds = watch.seconds();

  // 2. Pictures and video
  const auto keep_on = [&](int done, int total) {
    control.report({gen::Stage::TextEncoding, done, total});
    return !group.any(control.ask() == Ask::Cancel);
  };
  const auto condition = c.condition(request, options_, keep_on, outcome);
  if (!condition) {
    outcome.kind = gen::Outcome::Kind::Cancelled;
    return outcome;
  }
  if (condition->views_NIC.defined()) dump.add("image_embeds", condition->views_NIC);
  for (const auto& tensor : {condition->channels_1CThw, condition->first_1C1hw,
                             condition->control_1CThw, condition->video_1CThw}) {
    if (tensor.defined()) dump.add("condition", tensor);
  }

  // 3. Latents
  const auto& vae = c.vae_config;
  const uint64_t seed = request.seeds.at(static_cast<size_t>(output));
  auto scheduler = scheduler_of(request, c.scheduler);
  const int first =
      request.strength ? sampling::first_step(scheduler->steps(), *request.strength) : 0;
  Denoising state;
  if (snapshot) {
    state = static_cast<const Denoising*>(snapshot->state.get())->to(options_.device);
  } else {
    state.latents_1CThw = sampling::initial_noise(
        {1, vae.z_dim,
         static_cast<int64_t>(request.inputs.reference_images.size()) +
             (request.num_frames - 1) / vae.scale_factor_temporal + 1,
         request.height / vae.scale_factor_spatial, request.width / vae.scale_factor_spatial},
        seed, request.generator_device, options_.device);
    state.step = first;
    if (condition->video_1CThw.defined()) {
      state.latents_1CThw = scheduler->noised(condition->video_1CThw, state.latents_1CThw, first);
    }
    dump.add("latents.initial", state.latents_1CThw);
  }

  // 4. Denoising
  watch.restart();
  Denoiser denoiser(c.high_noise, c.low_noise ? &*c.low_noise : nullptr, std::move(scheduler),
                    request, seed, std::move(prompts), *condition, state.latents_1CThw,
                    request.preview_steps > 0 ? &c.preview_for(options_.device) : nullptr, group);
  const Ask ask = denoise(denoiser, state, first, control, group, dump);
  outcome.denoise_seconds = watch.seconds();
  if (ask == Ask::Cancel) {
    outcome.kind = gen::Outcome::Kind::Cancelled;
    return outcome;
  }
  if (ask == Ask::Pause) {
    outcome.kind = gen::Outcome::Kind::Paused;
    outcome.snapshot = {c.fingerprint, std::make_shared<Denoising>(state.to(at::kCPU))};
    return outcome;
  }
  dump.add("latents.final", state.latents_1CThw);
  if (!at::isfinite(state.latents_1CThw).all().item<bool>()) {
    dump.write();
    throw Error(ErrorCode::Internal,
                "denoising ended in numbers that are not finite: another "
                "precision, shift or guidance may help");
  }

  // 5. Frames
  watch.restart();
  sink.begin({request.width, request.height, request.fps, request.num_frames});
  if (!decode(c.vae, denoiser.finished(state.latents_1CThw), options_.vae_tiling, sink, control,
              group, dump)) {
    outcome.kind = gen::Outcome::Kind::Cancelled;
    return outcome;
  }
  outcome.decode_seconds = watch.seconds();
  dump.write();
  return outcome;
}

}  // namespace reel::pipeline
