#include "api.h"
#include "framing.h"
#include "job_json.h"
#include "reel/gen/resolve.h"

namespace reel::http {
namespace {

using nlohmann::json;

json defaults(const gen::Description& model) {
  return {{"size", text_of(model.size)},
          {"num_frames", model.num_frames},
          {"fps", model.fps},
          {"seconds", static_cast<double>(model.num_frames) / model.fps},
          {"num_inference_steps", model.num_inference_steps},
          {"guidance_scale", model.guidance_scale},
          {"guidance_scale_2", or_null(model.guidance_scale_2)},
          {"boundary_ratio", or_null(model.boundary_ratio)},
          {"flow_shift", model.flow_shift},
          {"max_sequence_length", model.max_sequence_length},
          {"negative_prompt", model.negative_prompt}};
}

json limits(const gen::Description& model) {
  return {{"size_multiple", model.size_multiple},
          {"max_side", model.max_side},
          {"frame_multiple", model.frame_multiple},
          {"max_frames", model.max_frames > 0 ? model.max_frames : gen::kMaxFrames},
          {"max_fps", gen::kMaxFps},
          {"max_inference_steps", gen::kMaxSteps},
          {"max_outputs", gen::kMaxOutputs},
          {"max_prompt_bytes", gen::kMaxPromptBytes},
          {"max_sequence_length", model.max_sequence_length},
          {"max_request_bytes", FramingLimits{}.body}};
}

json inputs(const gen::Takes& takes) {
  json names = {"text"};
  const auto add = [&](gen::Take take, const char* name) {
    if (take != gen::Take::No) names.push_back(name);
  };
  add(takes.image, "image");
  add(takes.last_image, "last_image");
  add(takes.video, "video");
  add(takes.mask, "mask");
  add(takes.reference_images, "reference_images");
  return names;
}

}  // namespace

json capabilities_json(const gen::Description& model, bool webhooks) {
  json sizes = json::array();
  for (const gen::Size& size : model.sizes) sizes.push_back(text_of(size));
  return {{"object", "capabilities"},
          {"model", model.model},
          {"task", model.task},
          {"pipeline", model.pipeline},
          {"inputs", inputs(model.takes)},
          {"sizes", std::move(sizes)},
          {"video", {{"format", "mp4"}, {"variants", {"video", "thumbnail", "spritesheet"}}}},
          {"image", {{"formats", {"jpeg", "png", "webp"}}}},
          {"webhooks", webhooks ? json{"video.completed", "video.failed"} : json::array()},
          {"defaults", defaults(model)},
          {"limits", limits(model)}};
}

}  // namespace reel::http
