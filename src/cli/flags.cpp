#include "flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <limits>
#include <map>

#include "boolean_flag.h"
#include "checks.h"
#include "command_line.h"
#include "reel/base/error.h"
#include "refused_flags.h"
#include "server_flags.h"

namespace reel::cli {
namespace {

const std::set<std::string> kPrecisions = {"fp32", "bf16", "fp16"};

gen::Size parse_size(const std::string& text) {
  gen::Size size;
  char end = 0;
  const bool read = std::sscanf(text.c_str(), "%dx%d%c", &size.width, &size.height, &end) == 2;
  if (!read || size.width <= 0 || size.height <= 0) {
    throw CLI::ValidationError("--warmup-resolutions", "expected WIDTHxHEIGHT, got '" + text + "'");
  }
  return size;
}

void add_model_flags(CLI::App& app, Flags& flags) {
  auto& m = flags.model;
  app.add_option_function<std::string>(
         "--model-path", [&m](const std::string& path) { m.model_path = path; },
         "a folder in the Diffusers layout; fake: for none")
      ->group("Model");
  app.add_option("--model-id", m.model_id, "the published name of the model in that folder")
      ->group("Model");
  app.add_option("--served-model-name", m.served_name, "the name in replies")->group("Model");
  constexpr const char* kOrFile = ", or a safetensors file for its weights";
  for (const auto& [component, or_file] : {std::pair("transformer", kOrFile),
                                           {"transformer-2", kOrFile},
                                           {"vae", kOrFile},
                                           {"text-encoder", kOrFile},
                                           {"tokenizer", ""},
                                           {"scheduler", ""},
                                           {"image-encoder", kOrFile},
                                           {"image-processor", ""}}) {
    std::string key = component;
    std::replace(key.begin(), key.end(), '-', '_');
    app.add_option_function<std::string>(
           fmt::format("--{}-path", component),
           [&m, key](const std::string& path) { m.component_paths[key] = path; },
           fmt::format("another folder for the {}{}", component, or_file))
        ->group("Model");
  }
  app.add_option("--device", m.device, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->group("Model");
  app.add_option("--threads", m.threads, "CPU threads; 0: as many as cores")
      ->check(CLI::Range(0, 1024))
      ->group("Model");
  app.add_option("--dit-precision", m.dit_precision, "of the transformer")
      ->check(CLI::IsMember(kPrecisions))
      ->group("Model");
  app.add_option("--vae-precision", m.vae_precision, "of the VAE")
      ->check(CLI::IsMember(kPrecisions))
      ->group("Model");
  app.add_option("--text-encoder-precisions", m.text_encoder_precision, "of the text encoder")
      ->check(CLI::IsMember(kPrecisions))
      ->group("Model");
  app.add_option("--image-encoder-precision", m.image_encoder_precision, "of the image encoder")
      ->check(CLI::IsMember(kPrecisions))
      ->group("Model");
  add_boolean(app, "--vae-tiling", m.vae_tiling, "work in tiles: less memory")->group("Model");
  app.add_option("--flow-shift", m.flow_shift, "of the noise schedule")
      ->check(number_from(0.001, 1000))
      ->group("Model");
  app.add_option("--dmd-denoising-steps", m.dmd_denoising_steps,
                 "timesteps that a model was distilled for, falling: 1000,757,522")
      ->delimiter(',')
      ->group("Model");
  app.add_option("--denoising-step-list", m.denoising_step_list,
                 "likewise, of Euler's and before the shift, as LightX2V's: 1000,750,500,250")
      ->delimiter(',')
      ->group("Model");
  app.add_option_function<std::string>(
         "--warmup-mode", [&m](const std::string& mode) { m.warm_up = mode == "server"; },
         "off, or server: one small video before ready")
      ->check(CLI::IsMember({"off", "server"}))
      ->group("Model");
  app.add_option_function<std::vector<std::string>>(
         "--warmup-resolutions",
         [&m](const std::vector<std::string>& sizes) {
           for (const auto& size : sizes) m.warm_up_sizes.push_back(parse_size(size));
         },
         "WxH …: a warm-up at each")
      ->group("Model");
  app.add_option("--warmup-steps", m.warm_up_steps, "denoising steps of the warm-up")
      ->check(CLI::Range(1, 1000))
      ->group("Model");
}

/// A flag that brings an input: a file, its URL, or for a video a folder of frames.
template <class AnyInput>
void add_input(CLI::App& app, const std::string& names, std::optional<AnyInput>& input,
               const std::string& help) {
  const std::string flag = names.substr(0, names.find(','));
  app.add_option_function<std::string>(
      names,
      [&input, flag](const std::string& source) {
        input = AnyInput{flag, source};
      },
      help);
}

void add_input_flags(CLI::App& app, gen::VideoRequest& r) {
  add_input(app, "--image-path,--image-paths", r.inputs.image, "first frame: a file or URL");
  add_input(app, "--last-image-path", r.inputs.last_image, "last frame: a file or URL");
  add_input(app, "--video-path", r.inputs.video, "a file, URL or folder of frames");
  add_input(app, "--mask-path", r.inputs.mask, "of the video: a file, URL or folder of frames");
  app.add_option_function<std::vector<std::string>>(
      "--reference-images",
      [&r](const std::vector<std::string>& sources) {
        for (const auto& source : sources) {
          r.inputs.reference_images.push_back({"--reference-images", source});
        }
      },
      "files or URLs of what shall be seen");
  app.add_option("--conditioning-scale", r.conditioning_scale,
                 "how much VACE's inputs count: one, or a comma list of one a layer")
      ->delimiter(',');
  app.add_option("--strength", r.strength, "of the change that is made to a video, 0 to 1");
}

void add_generate_flags(CLI::App& app, GenerateFlags& g) {
  auto& r = g.request;
  // Not as many as CLI11 knows: then it would take one in square brackets for a list.
  constexpr int kMostPrompts = 1'000'000;
  app.add_option("--prompt", g.prompts, "one video for each")
      ->type_name("TEXT ...")
      ->expected(1, kMostPrompts)
      ->allow_extra_args(false);
  app.add_option("--prompt-path", g.prompt_path, "a file with one prompt a line");
  app.add_option("--negative-prompt", r.negative_prompt, "\"\" means empty");
  app.add_option("--output-path", g.output_path, "folder of the video")->check(check_folder);
  app.add_option("--output-file-name", g.output_file_name,
                 "its name there; a file of that name is replaced");
  app.add_option("--output-file-path", g.output_file_path, "folder and name at once")
      ->excludes("--output-path")
      ->excludes("--output-file-name");
  app.add_option("--output-quality", g.output_quality, "maximum, high, medium, low or default")
      ->check(CLI::IsMember({"maximum", "high", "medium", "low", "default"}));
  app.add_option("--output-compression", g.output_compression, "0 … 100, above --output-quality")
      ->check(CLI::Range(0, 100));
  app.add_option_function<std::string>(
         "--quality", [](const std::string&) {}, "lossless or high: all is as lossless")
      ->check(CLI::IsMember({"lossless", "high"}));
  app.add_option("--num-outputs-per-prompt,--num-outputs", r.num_outputs, "")
      ->check(CLI::Range(1, 10));
  app.add_option("--seed", r.seeds, "one, or one an output; none: random")->check(check_seed);
  app.add_option("--generator-device", r.generator_device, "cpu or cuda: whose random numbers")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--num-frames", r.num_frames, "rounded as Diffusers does: n // 4 * 4 + 1");
  app.add_option("--width", r.width, "pixels");
  app.add_option("--height", r.height, "pixels");
  for (const auto& [flag, size] : {std::pair("--720p", gen::Size{1280, 720}),
                                   {"--1080p", {1920, 1080}},
                                   {"--2k", {2560, 1440}},
                                   {"--4k", {3840, 2160}}}) {
    app.add_flag_callback(
           flag, [&r, size] { r.width = size.width, r.height = size.height; }, gen::text_of(size))
        ->excludes("--width")
        ->excludes("--height");
  }
  app.add_option("--fps", r.fps, "of the file");
  app.add_option("--num-inference-steps", r.num_inference_steps, "");
  app.add_option("--guidance-scale", r.guidance_scale, "1 or less: one forward a step");
  app.add_option("--guidance-scale-2", r.guidance_scale_2, "of the low-noise expert");
  app.add_option("--boundary-ratio", r.boundary_ratio, "where the experts change")
      ->check(number_from(0, 1));
  app.add_option("--max-sequence-length", r.max_sequence_length, "tokens of a prompt");
  add_input_flags(app, r);
  app.add_flag("--save-output,!--no-save-output", g.save_output, "");
  app.add_option("--dump", g.dump, "folder for tensors.safetensors: embeddings, latents, frames");
  app.add_option("--perf-dump-path", g.perf_dump_path, "JSON of the seconds of each stage and step")
      ->check(check_writable);
}

void add_bench_flags(CLI::App& app, BenchFlags& b) {
  app.add_option("--base-url", b.base_url, "of the server")->check(check_url);
  app.add_option("--host", b.host, "");
  app.add_option("--port", b.port, "")->check(CLI::Range(1, 65535));
  app.add_option("--model", b.model, "its name in requests; default: what the server says");
  app.add_option("--task", b.task, "text-to-video (t2v) or image-to-video (i2v)")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, std::string>{{"text-to-video", "text-to-video"},
                                             {"t2v", "text-to-video"},
                                             {"image-to-video", "image-to-video"},
                                             {"i2v", "image-to-video"}}));
  app.add_option("--input-reference", b.input_reference,
                 "the picture of image-to-video; a white one if not given");
  app.add_option_function<std::string>(
         "--backend", [](const std::string&) {}, "of SGLang's: there is no other")
      ->check(CLI::IsMember({"sglang-video"}));
  app.add_flag_callback(
      "--disable-tqdm", [] {}, "of SGLang's: there is no progress bar");
  app.add_option("--dataset", b.dataset, "random, or vbench: prompts of --dataset-path")
      ->check(CLI::IsMember({"random", "vbench"}));
  app.add_option("--dataset-path", b.dataset_path, "a file with one prompt a line");
  app.add_option("--random-request-config", b.random_request_config,
                 "JSON list of {weight, width, height, num_frames, fps, num_inference_steps}");
  app.add_option("--random-request-seed", b.random_request_seed, "of the choice among them");
  app.add_option("--num-prompts", b.num_prompts, "")->check(CLI::Range(1, 1'000'000));
  app.add_option("--num-outputs-per-prompt", b.num_outputs_per_prompt, "")
      ->check(CLI::Range(1, 10));
  app.add_option("--max-concurrency", b.max_concurrency, "")->check(CLI::Range(1, 10'000));
  app.add_option("--request-rate", b.request_rate, "requests a second (Poisson); inf: at once")
      ->check(number_from(0, std::numeric_limits<double>::infinity()));
  app.add_option("--width", b.width, "");
  app.add_option("--height", b.height, "");
  app.add_option("--num-frames", b.num_frames, "");
  app.add_option("--fps", b.fps, "");
  app.add_option("--num-inference-steps", b.num_inference_steps, "");
  app.add_option("--warmup-requests", b.warmup_requests, "")->check(CLI::Range(0, 1'000'000));
  app.add_option("--warmup-inference-steps", b.warmup_inference_steps, "")
      ->check(CLI::Range(1, 1000));
  add_boolean(app, "--slo", b.slo, "tell how many took at most --slo-scale times as expected");
  app.add_option("--slo-scale", b.slo_scale, "")
      ->check(number_from(0, std::numeric_limits<double>::infinity()));
  app.add_option("--extra-body", b.extra_body, "JSON merged over every request");
  app.add_option("--output-file", b.output_file, "JSON of the figures")->check(check_writable);
}

CLI::Option* add_log_level(CLI::App& app, Flags& flags) {
  return app.add_option("--log-level", flags.log_level, "debug, info, warning, error or off")
      ->transform(CLI::IsMember({"debug", "info", "warning", "error", "off"}, CLI::ignore_case));
}

/// Of whole numbers, digits; of any, not none.
void check_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    const bool whole = type.starts_with("INT") || type.starts_with("UINT");
    if (whole) option->transform(CLI::Validator(plain_digits, "", ""));
    if (whole || type.starts_with("FLOAT")) option->transform(CLI::Validator(given_number, "", ""));
  }
}

}  // namespace

std::optional<Flags> parse_flags(int argc, const char* const* argv) {
  Flags flags;
  CLI::App app("Reel: an inference server for Wan2.1 and Wan2.2 video models", "serve");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.option_defaults()->always_capture_default();
  app.set_version_flag("--version", "reel " REEL_VERSION);
  app.add_option("--config", "a JSON or YAML file of flags")->group("Server");
  add_model_flags(app, flags);
  add_server_flags(app, flags.server);
  add_log_level(app, flags)->group("Server");
  RefusedFlags refused(app);
  app.require_subcommand(0, 1);

  auto* generate = app.add_subcommand("generate", "make a video without a server")->fallthrough();
  generate->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  add_generate_flags(*generate, flags.generate);
  for (const char* many : {"--prompt", "--seed", "--reference-images", "--conditioning-scale"}) {
    generate->get_option(many)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  for (const char* many :
       {"--warmup-resolutions", "--allowed-hosts", "--cors-origin", "--input-root"}) {
    app.get_option(many)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  auto* bench = app.add_subcommand("bench", "measure a server");
  add_bench_flags(*bench, flags.bench);
  add_log_level(*bench, flags);
  auto* tokenize = app.add_subcommand("tokenize", "prompts to token ids");
  tokenize
      ->add_option("--model-path", flags.tokenize.model_path, "a model's folder, or a tokenizer's")
      ->required();
  tokenize->add_flag("--jsonl", flags.tokenize.jsonl, "each line is a JSON string");
  tokenize->add_option("--max-length", flags.tokenize.max_length, "tokens")
      ->check(CLI::Range(1, 1'000'000));

  for (auto* each : {static_cast<CLI::App*>(&app), generate, bench, tokenize}) check_numbers(*each);

  try {
    auto words = command_line(argc, argv);
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    app.parse(words);
  } catch (const CLI::ExtrasError&) {
    throw Error(ErrorCode::InvalidArgument, fmt::format("{}: is no flag; serve --help lists them",
                                                        app.remaining(true).front()));
  } catch (const CLI::ConversionError& error) {
    // "Could not convert: --fps = abc"
    const std::string text = error.what();
    const size_t flag = text.find("--"), equals = text.find(" = ");
    require(flag < equals && equals != text.npos, text);
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("{}: expected a number, got '{}'", text.substr(flag, equals - flag),
                            text.substr(equals + 3)));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app.exit(error, std::cout, std::cerr);
      return std::nullopt;
    }
    throw Error(ErrorCode::InvalidArgument, error.what());
  }
  refused.check();
  if (*generate) flags.command = Command::Generate;
  if (*bench) flags.command = Command::Bench;
  if (*tokenize) flags.command = Command::Tokenize;
  if (flags.command == Command::Serve || flags.command == Command::Generate) {
    require(!flags.model.model_path.empty(), "--model-path is required");
  }
  return flags;
}

}  // namespace reel::cli
