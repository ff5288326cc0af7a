#include "denoise.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <fmt/format.h>

#include <deque>
#include <tuple>

#include "decode.h"
#include "reel/sampling/guidance.h"
#include "reel/sampling/noise.h"

namespace reel::pipeline {
namespace {

/// Keeps the host at most one step ahead of the device, by waiting on the event of the step
/// before: the only wait in the loop.
class StepFence {
 public:
  explicit StepFence(at::Device device) : device_(device) {}

  /// `step` has been enqueued: returns how many are done.
  int pass(int step) {
    if (!device_.is_cuda()) return step;
    auto event = std::make_unique<c10::Event>(device_.type());
    event->record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
    wait();
    last_ = std::move(event);
    return step - 1;
  }

  void wait() {
    if (last_) last_->synchronize();
  }

 private:
  at::Device device_;
  std::unique_ptr<c10::Event> last_;
};

/// Previews between the device, which makes them during their steps, and the host.
class PreviewsOnTheirWay {
 public:
  explicit PreviewsOnTheirWay(at::Device device) : device_(device) {}

  /// Where the GPU is lost, to free pinned memory throws, which would end the process: it is left.
  ~PreviewsOnTheirWay() {
    if (!device_.is_cuda() || (made_.empty() && spare_.empty())) return;
    try {
      c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(device_.index());
    } catch (const std::exception&) {
      for (auto& [on_host, step] : made_) std::ignore = on_host.unsafeReleaseTensorImpl();
      for (auto& on_host : spare_) std::ignore = on_host.unsafeReleaseTensorImpl();
    }
  }

  PreviewsOnTheirWay(const PreviewsOnTheirWay&) = delete;
  PreviewsOnTheirWay& operator=(const PreviewsOnTheirWay&) = delete;

  void begin(const at::Tensor& rgb_hw3, int step) {
    if (spare_.empty()) {
      const auto pinned = at::TensorOptions().dtype(at::kByte).pinned_memory(device_.is_cuda());
      spare_.push_back(at::empty(rgb_hw3.sizes(), pinned));
    }
    made_.push_back({spare_.back(), step});
    spare_.pop_back();
    made_.back().on_host.copy_(rgb_hw3, /*non_blocking=*/true);
  }

  /// The next that was made by the end of step `done`.
  std::optional<gen::Image> arrived(int done) {
    if (made_.empty() || made_.front().step > done) return std::nullopt;
    gen::Frames one = to_frames(made_.front().on_host.unsqueeze(0));
    spare_.push_back(made_.front().on_host);
    made_.pop_front();
    return gen::Image{one.width, one.height, std::move(one.rgb)};
  }

 private:
  struct Preview {
    at::Tensor on_host;
    int step;
  };
  at::Device device_;
  std::deque<Preview> made_;
  std::vector<at::Tensor> spare_;
};

}  // namespace

Denoising Denoising::to(at::Device device) const {
  return {step, latents_1CThw.to(device), history.to(device)};
}

Denoiser::Denoiser(const Expert& high_noise, const Expert* low_noise,
                   std::unique_ptr<sampling::Scheduler> scheduler,
                   const gen::ResolvedRequest& request, uint64_t seed, PromptPair prompts,
                   Condition condition, const at::Tensor& latents, const LatentPreview* preview,
                   dist::Group& group)
    : high_noise_(high_noise),
      low_noise_(low_noise),
      scheduler_(std::move(scheduler)),
      seed_(seed),
      generator_device_(request.generator_device),
      guidance_scale_(request.guidance_scale),
      guidance_scale_2_(request.guidance_scale_2),
      conditioning_scale_(request.conditioning_scale),
      references_(static_cast<int64_t>(request.inputs.reference_images.size())),
      boundary_ratio_(request.boundary_ratio),
      preview_steps_(request.preview_steps),
      preview_(preview),
      prompts_(std::move(prompts)),
      condition_(std::move(condition)),
      group_(group) {
  prepared_.push_back(prepare(high_noise, latents));
  if (low_noise) prepared_.push_back(prepare(*low_noise, latents));
}

Denoiser::Prepared Denoiser::prepare(const Expert& expert, const at::Tensor& latents) const {
  const auto& model = expert.model;
  const auto grid = model.grid_of(latents);
  auto timesteps = scheduler_->timesteps().to(latents.device());
  at::Tensor row_of;
  if (condition_.first_1C1hw.defined()) {  // its tokens are at timestep 0: the last row
    timesteps = at::cat({timesteps, at::zeros({1}, timesteps.options())});
    row_of = at::zeros({1, grid.tokens()}, latents.options().dtype(at::kLong));
    row_of.narrow(1, 0, grid.rows * grid.columns).fill_(1);
  }
  return {model.times(timesteps), model.rope(grid), row_of, {}, {}};
}

const Denoiser::Prepared& Denoiser::with_prompts(const Expert& expert, Prepared& prepared) const {
  if (prepared.positive.layers.empty()) {
    prepared.positive =
        expert.model.prompt(prompts_.positive, condition_.views_NIC, *expert.blocks);
    if (prompts_.negative.defined()) {
      prepared.negative =
          expert.model.prompt(prompts_.negative, condition_.views_NIC, *expert.blocks);
    }
  }
  return prepared;
}

at::Tensor Denoiser::with_first(const at::Tensor& latents) const {
  if (!condition_.first_1C1hw.defined()) return latents;
  return at::cat(
      {condition_.first_1C1hw.to(latents.options()), latents.narrow(2, 1, latents.size(2) - 1)}, 2);
}

at::Tensor Denoiser::finished(const at::Tensor& latents) const {
  // A first frame that is given stays as exact as it came, whatever the transformer's dtype.
  return with_first(latents.to(at::kFloat)).slice(2, references_);
}

at::Tensor Denoiser::input(const at::Tensor& latents) const {
  if (!condition_.channels_1CThw.defined()) return with_first(latents);
  return at::cat({latents, condition_.channels_1CThw.to(latents.options())}, 1);
}

at::Tensor Denoiser::advance(Denoising& state) {
  const int step = state.step;
  const double timestep = scheduler_->timesteps()[step].item<double>();  // on the host
  const bool low_noise =
      low_noise_ &&
      sampling::chooses_low_noise(timestep, boundary_ratio_, scheduler_->num_train_timesteps());
  const Expert& expert = low_noise ? *low_noise_ : high_noise_;
  const Prepared& prepared = with_prompts(expert, prepared_[low_noise ? 1 : 0]);
  const auto& model = expert.model;

  const auto time = prepared.row_of_1S.defined()
                        ? prepared.times.at({step, steps()}, prepared.row_of_1S)
                        : prepared.times.at(step);
  const auto patches = model.begin(input(state.latents_1CThw));
  const bool guided = prompts_.negative.defined();
  models::FirstAttention first;
  const auto predict = [&](const models::PromptContext& prompt, int branch) {
    const models::BlockContext context{.sequence = group_, .step = step, .branch = branch};
    models::Conditions conditions{time, prepared.rope, prompt, guided ? &first : nullptr};
    if (condition_.control_1CThw.defined()) {
      conditions.hints_BSD = model.hints(patches, condition_.control_1CThw, conditioning_scale_,
                                         conditions, context, *expert.blocks);
    }
    const auto x =
        model.blocks(0, model.config.num_layers, patches, conditions, context, *expert.blocks);
    return model.finish(x, time, model.grid_of(state.latents_1CThw));
  };

  auto velocity = predict(prepared.positive, 0);
  if (guided) {
    velocity = sampling::guide(velocity, predict(prepared.negative, 1),
                               low_noise ? guidance_scale_2_ : guidance_scale_);
  }
  auto& latents = state.latents_1CThw;
  at::Tensor preview;
  if (preview_ && gen::has_preview(preview_steps_, step + 1, steps())) {
    preview = preview_->rgb(finished(latents - scheduler_->sigmas()[step] * velocity));
  }
  latents = scheduler_->step(velocity, latents, step, state.history);
  state.step = step + 1;
  if (scheduler_->renews_noise() && state.step < steps()) {
    const auto noise =
        sampling::renewed_noise(latents.sizes(), step, seed_, generator_device_, latents.device());
    latents = scheduler_->noised(latents, noise, state.step);
  }
  return preview;
}

gen::Control::Ask denoise(Denoiser& denoiser, Denoising& state, int first, gen::Control& control,
                          dist::Group& group, Dump& dump) {
  using Ask = gen::Control::Ask;
  StepFence fence(state.latents_1CThw.device());
  PreviewsOnTheirWay previews(state.latents_1CThw.device());
  const int steps = denoiser.steps() - first;
  control.report({gen::Stage::Denoising, state.step - first, steps});
  while (state.step < denoiser.steps()) {
    const Ask ask = control.ask();
    if (group.any(ask == Ask::Cancel)) return Ask::Cancel;
    if (group.any(ask == Ask::Pause)) return Ask::Pause;
    if (const auto made = denoiser.advance(state); made.defined()) previews.begin(made, state.step);
    dump.add(fmt::format("latents.step.{}", state.step - 1 - first), state.latents_1CThw);
    const int done = fence.pass(state.step);
    control.report({gen::Stage::Denoising, done - first, steps});
    while (auto image = previews.arrived(done)) control.preview(*std::move(image));
  }
  fence.wait();
  control.report({gen::Stage::Denoising, steps, steps});
  return Ask::GoOn;
}

}  // namespace reel::pipeline
