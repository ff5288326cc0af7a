#include "reel/gen/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "reel/base/error.h"
#include "reel/base/ids.h"
#include "shown.h"

namespace reel::gen {
namespace {

template <class T>
[[noreturn]] void fail(const std::string& field, std::string_view expected, const T& got) {
  throw Error(ErrorCode::InvalidArgument,
              fmt::format("{}: expected {}, got {}", field, expected, got), field);
}

int in_range(const std::string& field, int value, int low, int high) {
  if (value < low || value > high) fail(field, fmt::format("{} to {}", low, high), value);
  return value;
}

constexpr size_t kMaxReferences = 16;

/// Beyond this a model's numbers overflow; NaN is beyond it too.
constexpr double kMaxScale = 1000;

double at_least_zero(const std::string& field, double value) {
  if (!(value >= 0 && value <= kMaxScale)) fail(field, "0 to 1000", value);
  return value;
}

void check_text(const std::string& field, const std::string& text) {
  if (text.size() > kMaxPromptBytes) {
    throw Error(
        ErrorCode::TooLarge,
        fmt::format("{}: expected at most {} bytes, got {}", field, kMaxPromptBytes, text.size()),
        field);
  }
  try {
    nlohmann::json(text).dump();  // its strict writer is a UTF-8 check
  } catch (const nlohmann::json::exception&) {
    fail(field, "UTF-8", "other bytes");
  }
}

void check_prompt(const std::string& prompt) {
  check_text("prompt", prompt);
  if (prompt.find_first_not_of(" \t\r\n\v\f") == std::string::npos) {
    fail("prompt", "some text", prompt.empty() ? "none" : "spaces only");
  }
}

bool fits(const Size& size, const Description& model) {
  return size.width >= model.size_multiple && size.height >= model.size_multiple &&
         size.width <= model.max_side && size.height <= model.max_side;
}

/// The largest size of about the same shape that the model can do.
Size shrunk_to_fit(const Size& size, const Description& model) {
  const int multiple = model.size_multiple;
  const double scale = std::min(1.0, double(model.max_side) / std::max(size.width, size.height));
  const auto fit = [&](int side) {
    return std::max(multiple, static_cast<int>(side * scale) / multiple * multiple);
  };
  return {fit(size.width), fit(size.height)};
}

/// "832x480 and 848x480": what the model can do that is nearest to `size`; of one that is too
/// large, the second is the nearest of its shape.
std::string nearest_sizes(const Size& size, const Description& model) {
  const int multiple = model.size_multiple, most = model.max_side / multiple * multiple;
  const auto down = [&](int side) {
    return std::clamp(side / multiple * multiple, multiple, most);
  };
  const auto up = [&](int side) { return down(std::min(side, most) + multiple - 1); };
  std::vector<Size> near;
  const auto add = [&](const Size& s) {
    if (std::find(near.begin(), near.end(), s) == near.end()) near.push_back(s);
  };
  if (std::max(size.width, size.height) > most) {
    add({down(size.width), down(size.height)});
    add(shrunk_to_fit(size, model));
  } else {
    for (const int width : {down(size.width), up(size.width)}) {
      for (const int height : {down(size.height), up(size.height)}) add({width, height});
    }
  }
  const auto distance = [&](const Size& s) {
    return std::abs(int64_t{s.width} - size.width) + std::abs(int64_t{s.height} - size.height);
  };
  std::stable_sort(near.begin(), near.end(),
                   [&](const Size& a, const Size& b) { return distance(a) < distance(b); });
  if (near.size() == 1) return text_of(near[0]);
  return fmt::format("{} and {}", text_of(near[0]), text_of(near[1]));
}

/// Of the picture or video that a request begins with.
std::optional<Size> size_of_input(const Inputs& inputs) {
  const auto& [image, video] = std::tie(inputs.image, inputs.video);
  if (image && image->content) return Size{image->width, image->height};
  if (video && video->content) return Size{video->width, video->height};
  return std::nullopt;
}

Size resolve_size(const VideoRequest& request, const Description& model) {
  if (const auto given = size_of_input(request.inputs);
      given && !request.width && !request.height) {
    const int most = model.max_side / model.size_multiple * model.size_multiple;
    int64_t area = int64_t{model.size.width} * model.size.height;
    if (!request.inputs.image) area = std::min(area, int64_t{given->width} * given->height);
    const Size size = size_like(*given, area, model.size_multiple);
    return {std::min(size.width, most), std::min(size.height, most)};
  }
  const Size size{request.width.value_or(model.size.width),
                  request.height.value_or(model.size.height)};
  const bool both = request.width && request.height;
  const std::string field = both ? "size" : request.width ? "width" : "height";
  const std::string got =
      both ? text_of(size) : fmt::to_string(request.width ? size.width : size.height);
  if (size.width <= 0 || size.height <= 0) fail(field, "positive pixels", got);

  const int multiple = model.size_multiple;
  std::string expected;
  if (size.width % multiple != 0 || size.height % multiple != 0) {
    expected = fmt::format("multiples of {}", multiple);
  } else if (!fits(size, model)) {
    expected = fmt::format("at most {} pixels a side", model.max_side);
  } else {
    return size;
  }
  fail(field, expected, fmt::format("{}; nearest: {}", got, nearest_sizes(size, model)));
}

int resolve_frames(const VideoRequest& request, int fps, const Description& model) {
  const int limit = model.max_frames == 0 ? kMaxFrames : model.max_frames;
  const auto rounded = [&](int frames) { return round_frames(frames, model.frame_multiple); };
  const int most = rounded(limit) <= limit ? limit : rounded(limit) - 2;  // not rounded up past it
  if (request.num_frames) {
    const int frames = *request.num_frames;
    if (frames < 1 || rounded(frames) > limit) {
      fail("num_frames", fmt::format("1 to {}", most), frames);
    }
    return rounded(frames);
  }
  if (!request.seconds) {
    const auto& video = request.inputs.video;
    return rounded(video && video->content ? video->frames - 1 : model.num_frames);
  }
  const double seconds = *request.seconds;
  if (!std::isfinite(seconds) || seconds <= 0 || seconds * fps > limit ||
      rounded(static_cast<int>(std::lround(seconds * fps))) > limit) {
    fail("seconds", fmt::format("more than 0, and at most {} frames at {} fps", limit, fps),
         seconds);
  }
  return rounded(static_cast<int>(std::lround(seconds * fps)));
}

std::vector<uint64_t> resolve_seeds(const std::vector<uint64_t>& given, int outputs) {
  const auto count = static_cast<size_t>(outputs);
  if (given.size() > 1) {
    if (given.size() != count) {
      fail("seed", outputs == 1 ? "one seed" : fmt::format("1 or {} seeds", outputs),
           fmt::to_string(given.size()));
    }
    return given;
  }
  const uint64_t first = given.empty() ? random_seed() : given.front();
  const uint64_t last_first = std::numeric_limits<uint64_t>::max() - (count - 1);
  if (first > last_first) {
    fail("seed", fmt::format("at most {} for {} outputs", last_first, outputs), first);
  }
  std::vector<uint64_t> seeds;
  for (uint64_t i = 0; i < count; ++i) seeds.push_back(first + i);
  return seeds;
}

void refuse_for_one_expert(const std::string& field) {
  throw Error(ErrorCode::InvalidArgument,
              field + ": this model has one expert for all steps; only Wan2.2 14B has two", field);
}

void resolve_experts(const VideoRequest& request, const Description& model,
                     ResolvedRequest& resolved) {
  if (!model.boundary_ratio) {
    if (request.guidance_scale_2) refuse_for_one_expert("guidance_scale_2");
    if (request.boundary_ratio) refuse_for_one_expert("boundary_ratio");
    resolved.guidance_scale_2 = resolved.guidance_scale;
    return;
  }
  resolved.guidance_scale_2 = at_least_zero(
      "guidance_scale_2",
      request.guidance_scale_2.value_or(model.guidance_scale_2.value_or(resolved.guidance_scale)));
  resolved.boundary_ratio = request.boundary_ratio ? request.boundary_ratio : model.boundary_ratio;
  if (!(*resolved.boundary_ratio >= 0 && *resolved.boundary_ratio <= 1)) {
    fail("boundary_ratio", "0 to 1", *resolved.boundary_ratio);
  }
}

std::string task_of(const Description& model) {
  return fmt::format("the task of {} is {}", model.model, model.task);
}

/// That an input is there if the model needs it, and only if it takes it. `field`: what to send it
/// in.
void check_taken(Take take, const std::string& field, const std::string* given,
                 const Description& model) {
  if (given != nullptr && take == Take::No) {
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("{} is not supported: {}", *given, task_of(model)), *given);
  }
  if (given == nullptr && take == Take::Required) {
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("{} is required: {}", field, task_of(model)), field);
  }
}

void check_inputs(const Inputs& inputs, const Description& model) {
  const auto field_of = [](const auto& input) { return input ? &input->field : nullptr; };
  const Takes& takes = model.takes;
  check_taken(takes.image, "input_reference", field_of(inputs.image), model);
  check_taken(takes.last_image, "last_image", field_of(inputs.last_image), model);
  check_taken(takes.video, "video_reference", field_of(inputs.video), model);
  check_taken(takes.mask, "mask", field_of(inputs.mask), model);
  const auto& references = inputs.reference_images;
  check_taken(takes.reference_images, "reference_images",
              references.empty() ? nullptr : &references[0].field, model);
  if (references.size() > kMaxReferences) {
    fail(references[0].field, fmt::format("at most {} pictures", kMaxReferences),
         references.size());
  }
  if (!inputs.mask) return;
  const auto& [video, mask] = std::tie(inputs.video, inputs.mask);
  if (!video) fail(mask->field, "a video that it is the mask of", "none");
  if (video->content && mask->content && video->frames != mask->frames) {
    fail(mask->field, fmt::format("the video's {} frames", video->frames), mask->frames);
  }
}

/// A distilled model has its own steps and no guidance.
void check_distilled(const ResolvedRequest& resolved, const Description& model) {
  const int steps = model.distilled_steps();
  if (steps == 0) return;
  if (resolved.num_inference_steps != steps) {
    fail("num_inference_steps", fmt::format("the {} that the model was distilled for", steps),
         resolved.num_inference_steps);
  }
  for (const auto& [field, scale] : {std::pair("guidance_scale", resolved.guidance_scale),
                                     {"guidance_scale_2", resolved.guidance_scale_2}}) {
    if (scale > 1) fail(field, "at most 1, as the model was distilled", scale);
  }
}

void resolve_conditioning(const VideoRequest& request, const Description& model,
                          ResolvedRequest& resolved) {
  const auto& video = request.inputs.video;
  if (video && video->content && video->frames < resolved.num_frames) {
    fail(video->field, fmt::format("at least {} frames", resolved.num_frames), video->frames);
  }
  const auto layers = static_cast<size_t>(model.takes.conditioning_layers);
  const auto& scales = request.conditioning_scale;
  if (!scales.empty() && layers == 0) {
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("conditioning_scale is not supported: {}", task_of(model)),
                "conditioning_scale");
  }
  if (scales.size() > 1 && scales.size() != layers) {
    fail("conditioning_scale", fmt::format("1 or {} numbers", layers), scales.size());
  }
  for (const double scale : scales) at_least_zero("conditioning_scale", scale);
  resolved.conditioning_scale =
      scales.size() > 1 ? scales : std::vector<double>(layers, scales.empty() ? 1 : scales[0]);

  if (request.strength && !model.takes.strength) {
    throw Error(ErrorCode::InvalidArgument,
                fmt::format("strength is not supported: {}", task_of(model)), "strength");
  }
  if (request.strength && !video) fail("strength", "a video that it changes", "none");
  if (!video || !model.takes.strength) return;
  resolved.strength = request.strength.value_or(*model.takes.strength);
  if (!(*resolved.strength > 0 && *resolved.strength <= 1)) {
    fail("strength", "more than 0, at most 1", *resolved.strength);
  }
  if (*resolved.strength * resolved.num_inference_steps < 1) {
    fail("strength", fmt::format("a step's share of {} or more", resolved.num_inference_steps),
         *resolved.strength);
  }
}

}  // namespace

Size size_like(Size picture, int64_t area, int multiple) {
  const double aspect = static_cast<double>(picture.height) / picture.width;
  const auto side = [&](double square) {
    const auto pixels = static_cast<int>(std::nearbyint(std::sqrt(square)));
    return std::max(pixels / multiple * multiple, multiple);
  };
  const auto most = static_cast<double>(area);
  return {side(most / aspect), side(most * aspect)};
}

ResolvedRequest resolve(const VideoRequest& request, const Description& model) {
  check_inputs(request.inputs, model);
  check_prompt(request.prompt);

  ResolvedRequest resolved;
  resolved.prompt = request.prompt;
  resolved.negative_prompt = request.negative_prompt.value_or(model.negative_prompt);
  check_text("negative_prompt", resolved.negative_prompt);

  const Size size = resolve_size(request, model);
  resolved.width = size.width;
  resolved.height = size.height;
  resolved.fps = in_range("fps", request.fps.value_or(model.fps), 1, kMaxFps);
  resolved.num_frames = resolve_frames(request, resolved.fps, model);

  const int outputs = in_range("num_outputs_per_prompt", request.num_outputs, 1, kMaxOutputs);
  resolved.seeds = resolve_seeds(request.seeds, outputs);
  resolved.generator_device = request.generator_device;
  if (request.generator_device != "cpu" && request.generator_device != "cuda") {
    fail("generator_device", "cpu or cuda", shown(request.generator_device));
  }

  resolved.num_inference_steps =
      in_range("num_inference_steps",
               request.num_inference_steps.value_or(model.num_inference_steps), 1, kMaxSteps);
  resolved.guidance_scale =
      at_least_zero("guidance_scale", request.guidance_scale.value_or(model.guidance_scale));
  resolve_experts(request, model, resolved);
  resolved.dmd_denoising_steps = model.dmd_denoising_steps;
  resolved.denoising_step_list = model.denoising_step_list;
  check_distilled(resolved, model);
  resolved.flow_shift = request.flow_shift.value_or(model.flow_shift);
  if (!(resolved.flow_shift >= 1e-3 && resolved.flow_shift <= kMaxScale)) {
    fail("flow_shift", "0.001 to 1000", resolved.flow_shift);
  }
  resolved.max_sequence_length = in_range(
      "max_sequence_length", request.max_sequence_length.value_or(model.max_sequence_length), 1,
      model.max_sequence_length);
  resolved.inputs = request.inputs;
  if (resolved.inputs.last_image && resolved.num_frames == 1) {
    fail("num_frames", fmt::format("at least {} with a last picture", model.frame_multiple + 1), 1);
  }
  resolve_conditioning(request, model, resolved);
  resolved.preview_steps =
      in_range("preview_steps", request.preview_steps.value_or(0), 0, kMaxSteps);
  return resolved;
}

VideoRequest remixed(VideoRequest request, const ResolvedRequest& source) {
  const auto fill = [](auto& field, const auto& value) {
    if (!field) field = value;
  };
  fill(request.negative_prompt, source.negative_prompt);
  fill(request.width, source.width);
  fill(request.height, source.height);
  if (!request.seconds) fill(request.num_frames, source.num_frames);
  fill(request.fps, source.fps);
  fill(request.num_inference_steps, source.num_inference_steps);
  fill(request.guidance_scale, source.guidance_scale);
  if (source.boundary_ratio) {
    fill(request.guidance_scale_2, source.guidance_scale_2);
    fill(request.boundary_ratio, source.boundary_ratio);
  }
  fill(request.flow_shift, source.flow_shift);
  fill(request.max_sequence_length, source.max_sequence_length);
  Inputs& inputs = request.inputs;
  const auto keep = [](auto& input, const auto& earlier) {
    if (!input) input = earlier;
  };
  keep(inputs.image, source.inputs.image);
  keep(inputs.last_image, source.inputs.last_image);
  keep(inputs.video, source.inputs.video);
  keep(inputs.mask, source.inputs.mask);
  if (inputs.reference_images.empty()) inputs.reference_images = source.inputs.reference_images;
  if (request.conditioning_scale.empty()) request.conditioning_scale = source.conditioning_scale;
  if (source.strength) fill(request.strength, *source.strength);
  // The default, which is not told from a wish.
  if (request.generator_device == "cpu") request.generator_device = source.generator_device;
  if (request.seeds.empty()) {
    request.seeds = source.seeds;
    const auto outputs = static_cast<size_t>(std::max(request.num_outputs, 1));
    request.seeds.resize(source.seeds.size() < outputs ? 1 : outputs);
  }
  return request;
}

}  // namespace reel::gen
