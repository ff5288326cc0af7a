// Denoising steps of a transformer; sizes are frames, rows and columns of the latents.

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "bench.h"
#include "denoise.h"
#include "random_weights.h"

namespace reel::bench {
namespace {

/// Notes the time before the first step and after each: on a GPU, when the device comes to it.
class Steps final : public gen::Control {
 public:
  explicit Steps(at::Device device) : device_(device) {}

  Ask ask() override { return Ask::GoOn; }
  void report(const gen::Progress&) override {
    marks_.push_back({watch_.seconds(), nullptr});
    if (!device_.is_cuda()) return;
    const auto stream = c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
    marks_.back().event =
        std::make_unique<c10::Event>(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
    marks_.back().event->record(stream);
  }

  /// Of the first `count` steps.
  std::vector<double> seconds(int count) const {
    wait_for(device_);
    std::vector<double> found;
    for (auto mark = marks_.begin(); mark != marks_.begin() + count; ++mark) {
      const Mark& next = *std::next(mark);
      found.push_back(mark->event ? mark->event->elapsedTime(*next.event) / 1e3
                                  : next.host - mark->host);
    }
    return found;
  }

 private:
  struct Mark {
    double host;
    std::unique_ptr<c10::Event> event;
  };

  at::Device device_;
  Stopwatch watch_;
  std::vector<Mark> marks_;
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

    Steps steps(device);
    pipeline::Denoiser denoiser(expert_, nullptr, sampling::make_scheduler(scheduler, count),
                                request, 0, prompts, {}, state.latents_1CThw, nullptr, group);
    {
      RECORD_USER_SCOPE("measured");
      pipeline::denoise(denoiser, state, 0, steps, group, none);
    }
    return {steps.seconds(count), state.latents_1CThw};
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
