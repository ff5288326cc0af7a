#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "condition.h"
#include "dump.h"
#include "latent_preview.h"
#include "reel/dist/group.h"
#include "reel/gen/generator.h"
#include "reel/models/wan_transformer.h"
#include "reel/residency/blocks.h"
#include "reel/sampling/scheduler.h"

namespace reel::pipeline {

/// One video between two denoising steps: a value. Moved to the host, it is a snapshot.
struct Denoising {
  int step = 0;              // done so far
  at::Tensor latents_1CThw;  // fp32 (Euler: the transformer's dtype after the first step)
  sampling::History history;

  Denoising to(at::Device device) const;
};

/// One transformer with its weights.
struct Expert {
  Expert(const config::WanTransformerConfig& config, at::Device device, at::ScalarType dtype)
      : params(device, dtype), model(weights::ParamScope(params), config) {}

  weights::ParamSet params;
  models::WanTransformer model;
  std::unique_ptr<residency::Blocks> blocks = std::make_unique<residency::ResidentBlocks>();
};

/// Embeddings [1, L, C]; `negative` undefined: no guidance, one forward a step.
struct PromptPair {
  at::Tensor positive, negative;
};

/// Takes one request's latents from step to step. What its steps share is computed once: what comes
/// from the host before the first step, prompts by each expert when it is first needed. So no step
/// waits for the device.
class Denoiser {
 public:
  /// `low_noise` may be null: one expert for all steps; `preview` too: none is made. They outlive
  /// this. Only the shape and device of `latents_1CThw` count.
  Denoiser(const Expert& high_noise, const Expert* low_noise,
           std::unique_ptr<sampling::Scheduler> scheduler, const gen::ResolvedRequest& request,
           uint64_t seed, PromptPair prompts, Condition condition, const at::Tensor& latents_1CThw,
           const LatentPreview* preview, dist::Group& group);

  /// Of the schedule. What begins with a video does not take the first.
  int steps() const { return scheduler_->steps(); }

  /// From `state.step` to the next. A preview, bytes [h, w, 3] on the device; undefined if none is
  /// due.
  at::Tensor advance(Denoising& state);

  /// Latents as they are to be decoded, after the last step.
  at::Tensor finished(const at::Tensor& latents_1CThw) const;

 private:
  struct Prepared {
    models::TimeTable times;
    nn::Rope rope;
    at::Tensor row_of_1S;  // of `times`, beside the step's; undefined: all tokens are at the step
    models::PromptContext positive, negative;
  };

  Prepared prepare(const Expert& expert, const at::Tensor& latents) const;
  const Prepared& with_prompts(const Expert& expert, Prepared& prepared) const;

  /// What the transformer is to see of the latents.
  at::Tensor input(const at::Tensor& latents_1CThw) const;
  at::Tensor with_first(const at::Tensor& latents_1CThw) const;

  const Expert& high_noise_;
  const Expert* low_noise_;
  std::unique_ptr<sampling::Scheduler> scheduler_;
  uint64_t seed_;
  std::string generator_device_;
  double guidance_scale_, guidance_scale_2_;
  std::vector<double> conditioning_scale_;
  int64_t references_;  // frames before the video's
  std::optional<double> boundary_ratio_;
  int preview_steps_;
  const LatentPreview* preview_;
  PromptPair prompts_;
  Condition condition_;
  dist::Group& group_;
  std::vector<Prepared> prepared_;  // high noise, low noise
};

/// Advances until the last step, or until `control` asks for something else, which is returned.
/// `first` is the step that was begun with: progress is counted from there.
gen::Control::Ask denoise(Denoiser& denoiser, Denoising& state, int first, gen::Control& control,
                          dist::Group& group, Dump& dump);

}  // namespace reel::pipeline
