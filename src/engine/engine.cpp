#include "reel/engine/engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "accelerator.h"
#include "describe.h"
#include "libraries.h"
#include "memory.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/log.h"
#include "reel/dist/group.h"
#include "reel/dist/rank_thread.h"
#include "reel/gen/resolve.h"
#include "reel/pipeline/memory_need.h"
#include "reel/pipeline/wan_pipeline.h"

namespace reel::engine {
namespace {

at::Device choose_device(const std::string& name) {
  const bool there = at::hasCUDA() && at::detail::getCUDAHooks().getNumGPUs() > 0;
  if (name == "cpu" || (name == "auto" && !there)) return at::kCPU;
  if (!there) {
    throw Error(ErrorCode::InvalidArgument, "--device cuda: this machine has no usable GPU");
  }
  return at::Device(at::kCUDA, 0);
}

at::ScalarType parse_precision(const std::string& name, const char* flag) {
  if (name == "fp32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  if (name == "fp16") return at::kHalf;
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("{}: expected fp32, bf16 or fp16, got '{}'", flag, name));
}

/// On a GPU its allocations since reset_peak_memory; on a CPU the process', ever.
double peak_memory_mb(at::Device device) {
  if (device.is_cuda()) {
    const auto stats = at::getDeviceAllocator(at::kCUDA)->getDeviceStats(device.index());
    return static_cast<double>(stats.allocated_bytes[0].peak) / 1048576.0;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

pipeline::Options pipeline_options(const Options& options, at::Device device) {
  return {device,
          parse_precision(options.dit_precision, "--dit-precision"),
          parse_precision(options.vae_precision, "--vae-precision"),
          parse_precision(options.text_encoder_precision, "--text-encoder-precisions"),
          parse_precision(options.image_encoder_precision, "--image-encoder-precision"),
          options.vae_tiling};
}

/// A grey picture, for a model that needs one.
std::optional<gen::ImageInput> grey_picture(gen::Take take, int side) {
  if (take != gen::Take::Required) return std::nullopt;
  gen::ImageInput input{.field = "warm-up", .width = side, .height = side, .frames = 1};
  const auto bytes = static_cast<size_t>(side) * static_cast<size_t>(side) * 3;
  input.content =
      std::make_shared<gen::Image>(gen::Image{side, side, std::vector<uint8_t>(bytes, 128)});
  return input;
}

std::optional<gen::VideoInput> grey_video(gen::Take take, int side, int frames) {
  if (take != gen::Take::Required) return std::nullopt;
  gen::VideoInput input{.field = "warm-up", .width = side, .height = side, .frames = frames};
  gen::Frames video{frames, side, side, {}};
  video.rgb.resize(static_cast<size_t>(frames) * video.frame_bytes(), 128);
  input.content = std::make_shared<gen::Frames>(std::move(video));
  return input;
}

/// The videos of the warm-up. Throws Error(InvalidArgument) for a size that the model cannot do.
std::vector<gen::ResolvedRequest> warm_up_requests(const Options& options,
                                                   const gen::Description& model) try {
  const int multiple = model.size_multiple;
  const int side = std::min(4 * multiple, model.max_side / multiple * multiple);
  auto sizes = options.warm_up_sizes;
  if (sizes.empty()) sizes.push_back({side, side});
  std::vector<gen::ResolvedRequest> resolved;
  for (const auto& size : sizes) {
    gen::VideoRequest request;
    request.prompt = "warm-up";
    request.width = size.width;
    request.height = size.height;
    request.num_frames = 5;
    if (model.distilled_steps() == 0) request.num_inference_steps = options.warm_up_steps;
    request.seeds = {0};
    request.inputs.image = grey_picture(model.takes.image, side);
    request.inputs.last_image = grey_picture(model.takes.last_image, side);
    request.inputs.video = grey_video(model.takes.video, side, *request.num_frames);
    if (request.inputs.video) request.strength = 1;  // no step is left out
    resolved.push_back(gen::resolve(request, model));
  }
  return resolved;
} catch (const Error& error) {
  throw Error(error.code(), fmt::format("--warmup-resolutions: {}", error.what()),
              "--warmup-resolutions");
}

void reset_peak_memory(at::Device device) {
  if (device.is_cuda()) at::getDeviceAllocator(at::kCUDA)->resetPeakStats(device.index());
}

/// Runs `work`; libtorch's exceptions leave as ours.
void translated(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error&) {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    throw Error(ErrorCode::OutOfMemory, error.what_without_backtrace());
  } catch (const c10::Error& error) {
    throw Error(ErrorCode::Internal, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::OutOfMemory, "the host's memory is full");
  }
}

class NoFrames final : public gen::FrameSink {
 public:
  void begin(const gen::VideoFormat&) override {}
  void write(gen::Frames) override {}
};

/// Of the warm-up: goes on unless the engine is being taken down.
class WarmUpControl final : public gen::Control {
 public:
  explicit WarmUpControl(const std::atomic<bool>& stopping) : stopping_(stopping) {}
  Ask ask() override { return stopping_ ? Ask::Cancel : Ask::GoOn; }
  void report(const gen::Progress&) override {}

 private:
  const std::atomic<bool>& stopping_;
};

}  // namespace

struct Engine::Body {
  explicit Body(Options given)
      : options(std::move(given)),
        device(choose_device(options.device)),
        folder(config::open_model_folder(options.model_path, options.component_paths)),
        description(engine::describe(folder, options, device.str())),
        warm_ups(warm_up_requests(options, description)),
        pipeline_options(engine::pipeline_options(options, device)),
        memory_need(folder, pipeline_options),
        rank(0, device) {
    if (device.is_cpu()) left = memory_left(device);
    if (options.threads > 0) at::set_num_threads(options.threads);
    set_fp32_precision();
    log_libraries();
    loader = std::thread([this] { load(); });
  }

  ~Body() {
    stopping = true;
    loader.join();
    rank.run([this] { pipeline.reset(); });
  }

  void load() {
    try {
      const Stopwatch watch;
      rank.run([&] {
        translated([&] {
          load_pipeline();
          left = memory_left(device);
        });
      });
      const double loaded = watch.seconds();
      rank.run([&] {
        translated([&] {
          warm_up();
          if (device.is_cuda()) left = memory_left(device);  // libraries loaded their kernels
        });
      });
      pipeline->dump_to(options.dump);
      log::info("model.ready", {{"model", description.model},
                                {"device", description.device},
                                {"load_s", loaded},
                                {"ready_s", watch.seconds()}});
      set_state({gen::State::Phase::Ready, "", 1, ""});
    } catch (const std::exception& error) {
      if (!stopping) log::error("model.failed", {{"why", error.what()}});
      set_state({gen::State::Phase::Failed, "", 0, error.what()});
    }
  }

  void load_pipeline() {
    const Stopwatch watch;
    uint64_t loaded = 0;
    pipeline = std::make_unique<pipeline::WanPipeline>(
        folder, pipeline_options,
        [&](std::string_view stage, uint64_t bytes, uint64_t total_bytes) {
          if (stopping) throw Error(ErrorCode::Cancelled, "loading was interrupted");
          loaded = bytes;
          set_state({gen::State::Phase::Loading, std::string(stage),
                     double(bytes) / double(total_bytes), ""});
        });
    log::info("weights.loaded", {{"bytes", loaded},
                                 {"s", watch.seconds()},
                                 {"gb_per_s", double(loaded) / 1e9 / watch.seconds()}});
  }

  /// One small video by each expert, so that plans, handles and memory pools are there before the
  /// first request.
  void warm_up() {
    if (!options.warm_up) return;
    set_state({gen::State::Phase::Loading, "warm-up", 1, ""});
    for (gen::ResolvedRequest resolved : warm_ups) {
      check_memory(resolved);
      for (const double boundary : {0.0, 2.0}) {  // all steps to the first expert, then the other
        if (description.boundary_ratio) resolved.boundary_ratio = boundary;
        NoFrames sink;
        WarmUpControl control(stopping);
        pipeline->generate(resolved, 0, nullptr, sink, control, group);
        if (!description.boundary_ratio) break;
      }
    }
  }

  /// After a fault: gives the GPU's free memory back, and if it was too little what is kept between
  /// videos; or finds that the GPU is lost, and the engine with it.
  void recover(ErrorCode fault) {
    if (!device.is_cuda()) return;
    try {
      at::detail::getCUDAHooks().deviceSynchronize(device.index());
      if (fault == ErrorCode::OutOfMemory) pipeline->forget();
      at::getDeviceAllocator(at::kCUDA)->emptyCache();
    } catch (const std::exception& error) {
      log::error("device.lost", {{"device", device.str()}, {"why", error.what()}});
      set_state({gen::State::Phase::Failed, "", 0, "the GPU is lost"});
    }
  }

  void check_memory(const gen::ResolvedRequest& request) const {
    engine::check_memory(request, description, memory_need, left);
  }

  void set_state(gen::State next) {
    const std::lock_guard lock(mutex);
    state = std::move(next);
  }

  const Options options;
  const at::Device device;
  const config::ModelFolder folder;
  const gen::Description description;
  const std::vector<gen::ResolvedRequest> warm_ups;
  const pipeline::Options pipeline_options;
  const pipeline::MemoryNeed memory_need;
  std::atomic<uint64_t> left = ~uint64_t{0};  // bytes for a video; before loading, for all
  dist::SoloGroup group;
  dist::RankThread rank;
  std::unique_ptr<pipeline::WanPipeline> pipeline;  // the rank's
  std::atomic<bool> stopping = false;
  mutable std::mutex mutex;  // guards state
  gen::State state;
  std::thread loader;
};

Engine::Engine(Options options) : body_(std::make_unique<Body>(std::move(options))) {}
Engine::~Engine() = default;

const gen::Description& Engine::describe() const { return body_->description; }

gen::State Engine::state() const {
  const std::lock_guard lock(body_->mutex);
  return body_->state;
}

gen::ResolvedRequest Engine::check(const gen::VideoRequest& request) const {
  auto resolved = gen::resolve(request, body_->description);
  require(resolved.generator_device == "cpu" || body_->device.is_cuda(),
          "generator_device: expected cpu, got cuda on a machine without a GPU",
          "generator_device");
  body_->check_memory(resolved);
  return resolved;
}

gen::Outcome Engine::generate(const gen::ResolvedRequest& request, int output,
                              const gen::Snapshot* snapshot, gen::FrameSink& sink,
                              gen::Control& control) {
  body_->check_memory(request);  // again: it may have been checked before the model was loaded
  gen::Outcome outcome;
  try {
    body_->rank.run([&] {
      translated([&] {
        reset_peak_memory(body_->device);
        outcome = body_->pipeline->generate(request, output, snapshot, sink, control, body_->group);
        outcome.peak_memory_mb = peak_memory_mb(body_->device);
      });
    });
  } catch (const Error& error) {
    body_->rank.run([&] { body_->recover(error.code()); });
    throw;
  } catch (...) {
    body_->rank.run([&] { body_->recover(ErrorCode::Internal); });
    throw;
  }
  return outcome;
}

}  // namespace reel::engine
