#include "refused_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "reel/base/error.h"

namespace reel::cli {

struct RefusedFlag {
  const char* names;
  const char* neutral;  // values that ask for nothing, with | between; "" for none
  const char* why;
};

namespace {

constexpr const char* kOneDevice = "one device only so far";
constexpr const char* kResident = "all weights stay on the device so far";
constexpr const char* kNoLora = "LoRA is not there yet";
constexpr const char* kNoQuantisation = "quantisation is not there yet";
constexpr const char* kNoCompile = "nothing is compiled at run time";
constexpr const char* kLocalFolder = "give --model-path a local folder";
constexpr const char* kNoPicture = "only text-to-video models are served so far";

constexpr RefusedFlag kRefused[] = {
    {"--num-gpus", "1", kOneDevice},
    {"--tp-size", "1", kOneDevice},
    {"--sp-degree", "1", kOneDevice},
    {"--ulysses-degree", "1", kOneDevice},
    {"--ring-degree", "1", kOneDevice},
    {"--kv-gather-degree", "1", kOneDevice},
    {"--enable-cfg-parallel", "false", kOneDevice},
    {"--cfg-parallel-size", "1", kOneDevice},
    {"--dp-size,--dp,--data-parallel-size", "1", kOneDevice},
    {"--encoder-parallel", "auto|replicate", kOneDevice},
    {"--use-fsdp-inference", "false", kOneDevice},
    {"--hsdp-replicate-dim", "1", kOneDevice},
    {"--hsdp-shard-dim", "1", kOneDevice},
    {"--nnodes", "1", kOneDevice},
    {"--node-rank", "0", kOneDevice},
    {"--dist-init-addr", "", kOneDevice},
    {"--base-gpu-id", "0", kOneDevice},
    {"--gpu-ids", "0", kOneDevice},
    {"--disagg-role", "monolithic", kOneDevice},
    {"--performance-mode,--mode", "auto|speed|manual", kResident},
    {"--component-residency", "", kResident},
    {"--cpu-offload-components", "none", kResident},
    {"--dit-cpu-offload", "false", kResident},
    {"--text-encoder-cpu-offload", "false", kResident},
    {"--image-encoder-cpu-offload", "false", kResident},
    {"--vae-cpu-offload", "false", kResident},
    {"--dit-layerwise-offload", "false", kResident},
    {"--layerwise-offload-components,--layerwise-offload-modules", "", kResident},
    {"--dit-offload-prefetch-size", "0|0.0", kResident},
    {"--vae-decode-precision", "", "the VAE has one precision: --vae-precision"},
    {"--image-encoder-precision", "", kNoPicture},
    {"--input-save-path", "", kNoPicture},
    {"--image-path,--image-paths", "", kNoPicture},
    {"--video-path", "", kNoPicture},
    {"--vae-slicing", "false", "videos are decoded one at a time"},
    {"--vae-sp", "false", kOneDevice},
    {"--dmd-denoising-steps", "", "distilled DMD models are not served yet"},
    {"--scheduler-class-override", "", "the scheduler is the model folder's own"},
    {"--attention-backend", "torch_sdpa", "attention is libtorch's own"},
    {"--component-attention-backends", "", "attention is libtorch's own"},
    {"--lora-path", "", kNoLora},
    {"--lora-nickname", "default", kNoLora},
    {"--lora-scale", "1|1.0", kNoLora},
    {"--lora-alpha", "", kNoLora},
    {"--lora-merge-mode", "auto", kNoLora},
    {"--lora-weight-name", "", kNoLora},
    {"--quantization", "", kNoQuantisation},
    {"--transformer-weights-path", "", kNoQuantisation},
    {"--enable-torch-compile", "false", kNoCompile},
    {"--regional-compile", "false", kNoCompile},
    {"--batching-max-size", "1", "requests are not batched"},
    {"--enable-teacache", "false", "step caches are not there yet"},
    {"--enable-cache-dit", "false", "step caches are not there yet"},
    {"--cache-dit-config", "", "step caches are not there yet"},
    {"--backend", "auto|sglang", "there is one back end"},
    {"--pipeline,--pipeline-class-name", "WanPipeline", "only WanPipeline is served so far"},
    {"--trust-remote-code", "false", "no code is ever loaded from a model"},
    {"--revision", "", kLocalFolder},
    {"--model-subfolder", "", kLocalFolder},
    {"--model-variant", "", kLocalFolder},
    {"--webui", "false", "the web page is not there yet"},
    {"--enable-trace", "false", "tracing is not there yet"},
    {"--log-requests", "false", "requests are not logged"},
    {"--warmup", "", "it was removed: use --warmup-mode"},
};

bool is_neutral(const RefusedFlag& flag, const std::string& value) {
  return fmt::format("|{}|", flag.neutral).find(fmt::format("|{}|", value)) != std::string::npos;
}

}  // namespace

RefusedFlags::RefusedFlags(CLI::App& app) {
  for (const RefusedFlag& flag : kRefused) {
    Given& given = given_.emplace_back(Given{&flag, {}});
    app.add_option_function<std::vector<std::string>>(
           flag.names,
           [&given](const std::vector<std::string>& values) {
             given.seen = true;
             given.values = values;
           },
           flag.why)
        ->expected(0, -1)
        ->group("");
  }
}

void RefusedFlags::check() const {
  for (const Given& given : given_) {
    if (!given.seen) continue;
    const bool asks = given.values.empty() || !is_neutral(*given.flag, given.values.front());
    if (asks) {
      const std::string names = given.flag->names;
      throw Error(ErrorCode::InvalidArgument,
                  fmt::format("{}: {}", names.substr(0, names.find(',')), given.flag->why));
    }
  }
}

}  // namespace reel::cli
