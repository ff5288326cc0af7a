// Denoising steps of a transformer; sizes are frames, rows and columns of the latents.

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include "bench.h"
#include "denoise.h"
#include "random_weights.h"

namespace reel::bench {
namespace {

/// Notes when each step is known to be done: the loop learns of it from the device's events.
class Steps final : public gen::Control {
 public:
  Ask ask() override { return Ask::GoOn; }
  void report(const gen::Progress& progress) override {
    if (progress.step == done_) return;
    done_ = progress.step;
    seconds.push_back(watch_.seconds());
    watch_.restart();
  }

  std::vector<double> seconds;

 private:
  int done_ = 0;
  Stopwatch watch_;
};

class WanTransformerBench final : public Bench {
 public:
  explicit WanTransformerBench(const Setup& setup)
      : expert_(config::read_wan_transformer_config(setup.config), setup.device, setup.dtype),
        shape_(latents_shape(setup, expert_.model.config.in_channels)) {}

  weights::ParamSet& params() override { return expert_.params; }

  Measured run(int count, bool guided) override {
    const auto device = expert_.params.device();
    const auto prompt = [&](const char* name) {
      return random(name, {1, 512, expert_.model.config.text_dim}, device)
          .to(expert_.params.compute());
    };
    const pipeline::PromptPair prompts{prompt("prompt"),
                                       guided ? prompt("negative") : at::Tensor()};
    pipeline::Denoising state{.latents_1CThw = random("latents", shape_, device), .history = {}};
    gen::ResolvedRequest request;
    request.generator_device = "cpu";
    request.guidance_scale = 5;
    config::SchedulerConfig scheduler;
    scheduler.flow_shift = 3;
    dist::SoloGroup group;
    pipeline::Dump none({});
    wait_for(device);

    Steps steps;
    pipeline::Denoiser denoiser(expert_, nullptr, sampling::make_scheduler(scheduler, count),
                                request, 0, prompts, {}, state.latents_1CThw, nullptr, group);
    RECORD_USER_SCOPE("denoise");
    pipeline::denoise(denoiser, state, 0, steps, group, none);
    return {steps.seconds, state.latents_1CThw};
  }

 private:
  pipeline::Expert expert_;
  std::vector<int64_t> shape_;
};

}  // namespace
}  // namespace reel::bench

int main(int count, char** arguments) {
  return reel::bench::main_of<reel::bench::WanTransformerBench>(count, arguments);
}
