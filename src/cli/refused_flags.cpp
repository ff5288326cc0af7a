#include "refused_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
constexpr const char* kNoBatches = "requests are not batched";
constexpr const char* kNoRequestLog = "requests are not logged";
constexpr const char* kNoTrace = "tracing is not there yet";
constexpr const char* kNoUpscaling = "videos are not upscaled";
constexpr const char* kNoInterpolation = "no frames are made in between";
constexpr const char* kTiles = "the tiles of --vae-tiling have one size";
constexpr const char* kLocalFolder = "give --model-path a local folder";

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
    {"--master-port", "30005", kOneDevice},
    {"--dist-timeout", "3600", kOneDevice},
    {"--enable-nccl-nvls", "false", kOneDevice},
    {"--scheduler-port", "5555", "the server is one process"},
    {"--disagg-role", "monolithic", kOneDevice},
    {"--disagg-server-addr", "", kOneDevice},
    {"--disagg-timeout", "3600", kOneDevice},
    {"--disagg-downstream-wait-timeout", "1800", kOneDevice},
    {"--disagg-dispatch-policy", "round_robin", kOneDevice},
    {"--disagg-instance-id", "0", kOneDevice},
    {"--disagg-max-slots-per-instance", "8", kOneDevice},
    {"--disagg-transfer-redundancy", "1.25", kOneDevice},
    {"--disagg-role-device", "auto", kOneDevice},
    {"--disagg-transfer-backend", "auto", kOneDevice},
    {"--disagg-transfer-pool-size", "268435456", kOneDevice},
    {"--disagg-transfer-pin-memory", "auto", kOneDevice},
    {"--disagg-p2p-hostname", "127.0.0.1", kOneDevice},
    {"--disagg-ib-device", "", kOneDevice},
    {"--encoder-urls", "", kOneDevice},
    {"--denoiser-urls", "", kOneDevice},
    {"--decoder-urls", "", kOneDevice},
    {"--encoder-tp", "1", kOneDevice},
    {"--denoiser-tp", "1", kOneDevice},
    {"--denoiser-sp", "1", kOneDevice},
    {"--denoiser-ulysses", "1", kOneDevice},
    {"--denoiser-ring", "1", kOneDevice},
    {"--decoder-sp", "1", kOneDevice},
    {"--decoder-tp", "", "it was removed"},
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
    {"--dit-layerwise-resident-layers", "0|0.0", kResident},
    {"--dit-layerwise-residency-policy", "leading", kResident},
    {"--layerwise-prefetch-size", "", kResident},
    {"--layerwise-resident-layers", "", kResident},
    {"--layerwise-residency-policy", "", kResident},
    {"--pin-cpu-memory", "true|false", kResident},
    {"--direct-gpu-weight-loading", "false", "weights are read through the host"},
    {"--disable-autocast", "false", "precisions are those of --dit-precision and its like"},
    {"--vae-decode-precision", "", "the VAE has one precision: --vae-precision"},
    {"--input-save-path", "", "inputs are kept in memory"},
    {"--vae-slicing", "false", "videos are decoded one at a time"},
    {"--vae-sp", "false", kOneDevice},
    {"--vae-config.use-parallel-decode", "true|false", kOneDevice},
    {"--vae-config.parallel-decode-mode", "auto", kOneDevice},
    {"--vae-config.use-tiling", "false", "use --vae-tiling"},
    {"--vae-config.use-temporal-tiling", "false", "use --vae-tiling"},
    {"--vae-config.use-parallel-tiling", "false", kOneDevice},
    {"--vae-config.tile-sample-min-height", "256", kTiles},
    {"--vae-config.tile-sample-min-width", "256", kTiles},
    {"--vae-config.tile-sample-min-num-frames", "16", kTiles},
    {"--vae-config.tile-sample-stride-height", "192", kTiles},
    {"--vae-config.tile-sample-stride-width", "192", kTiles},
    {"--vae-config.tile-sample-stride-num-frames", "12", kTiles},
    {"--vae-config.blend-num-frames", "", kTiles},
    {"--vae-config.load-encoder", "true|false",
     "the encoder is loaded where the model takes pictures"},
    {"--vae-config.load-decoder", "true", "the decoder is needed"},
    {"--embedded-cfg-scale", "6|6.0", "Wan has no embedded guidance"},
    {"--pipeline-config-path", "", "the configuration is the model folder's own"},
    {"--scheduler-class-override", "", "the scheduler is the model folder's own"},
    {"--attention-backend", "torch_sdpa", "attention is libtorch's own"},
    {"--component-attention-backends", "", "attention is libtorch's own"},
    {"--attention-backend-config", "", "attention is libtorch's own"},
    {"--mask-strategy-file-path", "", "attention is libtorch's own"},
    {"--lora-path", "", kNoLora},
    {"--lora-nickname", "default", kNoLora},
    {"--lora-scale", "1|1.0", kNoLora},
    {"--lora-alpha", "", kNoLora},
    {"--lora-merge-mode", "auto", kNoLora},
    {"--lora-weight-name", "", kNoLora},
    {"--quantization", "", kNoQuantisation},
    {"--quantization-ignored-layers", "", kNoQuantisation},
    {"--enable-svdquant", "false", kNoQuantisation},
    {"--quantization-precision", "int4", kNoQuantisation},
    {"--quantization-rank", "32", kNoQuantisation},
    {"--quantization-act-unsigned", "false", kNoQuantisation},
    {"--transformer-weights-path", "", kNoQuantisation},
    {"--enable-torch-compile", "false", kNoCompile},
    {"--regional-compile", "false", kNoCompile},
    {"--batching-max-size", "1", kNoBatches},
    {"--offload-during-compile", "true|false", kNoCompile},
    {"--enable-breakable-cuda-graph", "false", kNoCompile},
    {"--bcg-text-buckets", "64 128 256 512 1024", kNoCompile},
    {"--batching-mode", "dynamic", kNoBatches},
    {"--batching-delay-ms", "0|0.0", kNoBatches},
    {"--batching-config", "", kNoBatches},
    {"--enable-batching-metrics", "false", kNoBatches},
    {"--scheduler-rpc-timeout", "", "jobs wait as long as they must"},
    {"--enable-teacache", "false", "step caches are not there yet"},
    {"--enable-cache-dit", "false", "step caches are not there yet"},
    {"--cache-dit-config", "", "step caches are not there yet"},
    {"--cache-dit-params", "", "step caches are not there yet"},
    {"--enable-spectrum", "false", "step caches are not there yet"},
    {"--cfg-gate-step", "1|1.0", "step caches are not there yet"},
    {"--true-cfg-scale", "", "use --guidance-scale"},
    {"--guidance-rescale", "0|0.0", "guidance is not rescaled"},
    {"--cfg-normalization", "0|0.0|false", "guidance is not normalised"},
    {"--num-frames-round-down", "true|false", "frames are rounded down"},
    {"--adjust-frames", "true|false", "a video has a multiple of four frames, and one more"},
    {"--enable-sequence-shard", "false", kOneDevice},
    {"--return-frames", "false", "frames go into the file; --dump has them as tensors"},
    {"--return-file-paths-only", "true|false", "frames go into the file"},
    {"--return-trajectory-latents,--return-trajectory-decoded", "false", "--dump has the latents"},
    {"--enable-upscaling", "false", kNoUpscaling},
    {"--upscaling-model-path", "", kNoUpscaling},
    {"--upscaling-scale", "4", kNoUpscaling},
    {"--enable-frame-interpolation", "false", kNoInterpolation},
    {"--frame-interpolation-exp", "1", kNoInterpolation},
    {"--frame-interpolation-scale", "1|1.0", kNoInterpolation},
    {"--frame-interpolation-model-path", "", kNoInterpolation},
    {"--progressive-mode", "fullres", "steps are made at full resolution"},
    {"--progressive-levels", "", "steps are made at full resolution"},
    {"--progressive-delta", "", "steps are made at full resolution"},
    {"--attention-backend-override", "", "attention is libtorch's own"},
    {"--moba-config-path", "", "attention is libtorch's own"},
    {"--diffusers-kwargs", "", "Diffusers is not run"},
    {"--debug", "false", "use --log-level debug"},
    {"--profile,--profile-all-stages", "false", kNoTrace},
    {"--num-profiled-timesteps", "", kNoTrace},
    {"--backend", "auto|sglang", "there is one back end"},
    {"--pipeline,--pipeline-class-name", "WanPipeline", "the folder says which pipeline it is"},
    {"--trust-remote-code", "false", "no code is ever loaded from a model"},
    {"--revision", "", kLocalFolder},
    {"--model-subfolder", "", kLocalFolder},
    {"--model-variant", "", kLocalFolder},
    {"--webui", "false", "the web page is not there yet"},
    {"--enable-trace", "false", kNoTrace},
    {"--log-requests", "false", kNoRequestLog},
    {"--log-requests-level", "2", kNoRequestLog},
    {"--log-requests-format", "text", kNoRequestLog},
    {"--log-requests-target", "", kNoRequestLog},
    {"--uvicorn-access-log-exclude-prefixes", "", kNoRequestLog},
    {"--otlp-traces-endpoint", "localhost:4317", kNoTrace},
    {"--enable-layerwise-nvtx-marker", "false", kNoTrace},
    {"--enable-cache-report", "false", "step caches are not there yet"},
    {"--webui-port", "12312", "the web page is not there yet"},
    {"--prompt-file-path", "", "use --prompt-path of serve generate"},
    {"--server-warmup", "", "it was removed: use --warmup-mode"},
    {"--warmup", "", "it was removed: use --warmup-mode"},
};

/// A flag without a value is `true`; one with several is neutral only as a whole.
bool is_neutral(const RefusedFlag& flag, const std::vector<std::string>& values) {
  std::string value = fmt::format("{}", fmt::join(values, " "));
  if (value.empty()) value = "true";
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
    if (!is_neutral(*given.flag, given.values)) {
      const std::string names = given.flag->names;
      throw Error(ErrorCode::InvalidArgument,
                  fmt::format("{}: {}", names.substr(0, names.find(',')), given.flag->why));
    }
  }
}

}  // namespace reel::cli
