#include "reel/gen/request_json.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "fields.h"
#include "reel/base/error.h"
#include "reel/gen/resolve.h"

// What each field means to SGLang is its VideoGenerationsRequest and ImageGenerationsRequest;
// what it means here is decided in this file.

namespace reel::gen {
namespace {

using nlohmann::json;

struct Refusal {
  const char* field;
  const char* why;
};

constexpr size_t kMaxModelBytes = 512;
constexpr const char* kNoStepCache = "this server computes every step: it has no step cache";
constexpr const char* kOwnFiles = "this server names and places its files itself";

/// Switches: refused when they are true.
constexpr Refusal kSwitches[] = {
    {"enable_teacache", kNoStepCache},
    {"enable_cache_dit", kNoStepCache},
    {"enable_spectrum", kNoStepCache},
    {"enable_frame_interpolation", "this server makes no frames in between"},
    {"enable_upscaling", "this server does not upscale"},
    {"profile", "this server has no profiler for requests"},
    {"profile_all_stages", "this server has no profiler for requests"},
    {"return_trajectory_latents", "this server keeps no latents"},
    {"return_trajectory_decoded", "this server keeps no latents"},
};

/// Values: refused unless null, empty or false.
constexpr Refusal kValues[] = {
    {"cache_dit_params", kNoStepCache},
    {"output_path", kOwnFiles},
    {"output_file_name", kOwnFiles},
    {"perf_dump_path", kOwnFiles},
    {"diffusers_kwargs", "this server does not run Diffusers"},
    {"attention_backend_override", "the attention is chosen for the whole server"},
    {"lora_path", "a LoRA is set for the whole server"},
};

// Fields that bring an input, by the names that servers of this kind use.
constexpr const char* kImageFields[] = {"reference_url", "input_reference", "image_reference",
                                        "image_url",     "image_path",      "image"};
constexpr const char* kUrlFields[] = {"url"};  // of images
constexpr const char* kLastImageFields[] = {"last_image", "last_image_url", "last_image_path"};
constexpr const char* kVideoFields[] = {"video_reference", "video_url", "video_path", "video"};
constexpr const char* kMaskFields[] = {"mask", "mask_url", "mask_path"};
constexpr const char* kReferenceFields[] = {"reference_images", "reference_image_paths"};

/// Fields that change nothing here, and that nobody needs to be told of.
constexpr const char* kHarmless[] = {
    "user",
    "style",
    "moderation",
    "background",
    "frame_interpolation_exp",
    "upscaling_scale",
    "frame_interpolation_scale",
    "upscaling_model_path",
    "frame_interpolation_model_path",
    "num_profiled_timesteps",
    "progressive_levels",
    "progressive_delta",
};

void refuse_what_is_not_had(Fields& fields) {
  const auto no = [](const Refusal& refusal) {
    throw Error(ErrorCode::InvalidArgument, fmt::format("{}: {}", refusal.field, refusal.why),
                refusal.field);
  };
  for (const Refusal& refusal : kSwitches) {
    if (fields.truth(refusal.field).value_or(false)) no(refusal);
  }
  for (const Refusal& refusal : kValues) {
    if (fields.asks(refusal.field)) no(refusal);
  }
  // From 1 on, every step is guided.
  if (fields.number("cfg_gate_step").value_or(1) < 1) no({"cfg_gate_step", kNoStepCache});
  fields.word("progressive_mode", {"fullres"});
}

/// Where one input is to be had from: text, or as OpenAI's {"image_url": …}, or alone in a list.
std::string source_of(const std::string& field, const json& value) {
  if (value.is_string()) {
    const auto& source = value.get_ref<const std::string&>();
    if (source.find('\0') != source.npos) refuse(field, "a name without NUL", value);
    return source;
  }
  if (value.is_array() && value.size() == 1) return source_of(field, value[0]);
  if (value.is_object()) {
    for (const char* key : {"image_url", "video_url", "url"}) {
      if (value.contains(key)) return source_of(field, value[key]);
    }
    if (value.contains("file_id")) {
      throw Error(ErrorCode::InvalidArgument,
                  fmt::format("{}: this server keeps no files: send it, or its URL", field), field);
    }
  }
  refuse(field, "one file, its URL or its path", value);
}

template <class AnyInput, size_t N>
void read_input(Fields& fields, const char* const (&names)[N], std::optional<AnyInput>& input) {
  for (const char* name : names) {
    if (!fields.asks(name)) continue;
    AnyInput found{name, source_of(name, fields.any(name))};
    if (input && input->source != found.source) {
      throw Error(ErrorCode::InvalidArgument,
                  fmt::format("{}: expected none beside {}, got another", name, input->field),
                  name);
    }
    if (!input) input = std::move(found);
  }
}

Inputs read_inputs(Fields& fields) {
  Inputs inputs;
  read_input(fields, kImageFields, inputs.image);
  read_input(fields, kLastImageFields, inputs.last_image);
  read_input(fields, kVideoFields, inputs.video);
  read_input(fields, kMaskFields, inputs.mask);
  for (const char* name : kReferenceFields) {
    if (!fields.asks(name) || !inputs.reference_images.empty()) continue;
    const json value = fields.any(name);
    for (const json& one : value.is_array() ? value : json::array({value})) {
      inputs.reference_images.push_back({name, source_of(name, one)});
    }
  }
  return inputs;
}

void read_size(Fields& fields, VideoRequest& request) {
  const std::string size = fields.text("size").value_or("");
  if (!size.empty() && size != "auto") {
    const char* const end = size.data() + size.size();
    int width = 0, height = 0;
    const auto [cross, fault] = std::from_chars(size.data(), end, width);
    bool good =
        fault == std::errc() && cross != end && (*cross == 'x' || *cross == 'X' || *cross == '*');
    if (good) {
      const auto [stop, second_fault] = std::from_chars(cross + 1, end, height);
      good = second_fault == std::errc() && stop == end && width > 0 && height > 0;
    }
    if (!good) refuse("size", "positive WIDTHxHEIGHT", size);
    request.width = width;
    request.height = height;
  }
  if (const auto width = fields.integer("width")) request.width = width;
  if (const auto height = fields.integer("height")) request.height = height;
}

/// SGLang's words for the quality of an encoded file, in per cent.
std::optional<int> read_quality(Fields& fields, int usual) {
  const auto word = fields.word("output_quality", {"default", "maximum", "high", "medium", "low"});
  if (const auto percent = fields.integer("output_compression")) {
    if (*percent < 0 || *percent > 100) refuse("output_compression", "0 to 100", *percent);
    return percent;
  }
  if (!word) return std::nullopt;
  if (*word == "maximum") return 100;
  if (*word == "high") return 90;
  if (*word == "medium") return 55;
  if (*word == "low") return 35;
  return usual;
}

int read_outputs(Fields& fields) {
  const auto n = fields.integer("n");
  const auto outputs = fields.integer("num_outputs_per_prompt");
  const int count = outputs.value_or(n.value_or(1));
  if (count < 1 || count > kMaxOutputs) {
    refuse(outputs ? "num_outputs_per_prompt" : "n", fmt::format("1 to {}", kMaxOutputs), count);
  }
  return count;
}

/// What videos and images have in common.
VideoRequest read_common(Fields& fields) {
  refuse_what_is_not_had(fields);
  VideoRequest request;
  request.prompt = fields.text("prompt").value_or("");
  request.negative_prompt = fields.text("negative_prompt");
  read_size(fields, request);
  request.num_outputs = read_outputs(fields);
  request.seeds = fields.seeds("seed");
  request.generator_device = fields.word("generator_device", {"cpu", "cuda"}).value_or("cpu");
  request.num_inference_steps = fields.integer("num_inference_steps");
  request.guidance_scale = fields.number("guidance_scale");
  request.guidance_scale_2 = fields.number("guidance_scale_2");
  request.flow_shift = fields.number("flow_shift");
  request.boundary_ratio = fields.number("boundary_ratio");
  request.max_sequence_length = fields.integer("max_sequence_length");
  request.inputs = read_inputs(fields);
  request.conditioning_scale = fields.numbers("conditioning_scale");
  request.strength = fields.number("strength");
  request.preview_steps = fields.integer("preview_steps");
  // SGLang's lossless and high are about kernels; the others are OpenAI's. All get the best there
  // is.
  fields.word("quality", {"lossless", "high", "standard", "hd", "medium", "low", "auto"});
  return request;
}

int read_priority(Fields& fields) {
  const int priority = fields.integer("priority").value_or(0);
  if (priority >= -kMaxPriority && priority <= kMaxPriority) return priority;
  refuse("priority", fmt::format("{} to {}", -kMaxPriority, kMaxPriority), priority);
}

std::optional<double> read_timeout(Fields& fields) {
  const auto timeout = fields.number("timeout_s");
  if (timeout && !(*timeout > 0 && *timeout <= kMaxTimeout)) {
    refuse("timeout_s", fmt::format("seconds, more than 0 and at most {}", kMaxTimeout), *timeout);
  }
  return timeout;
}

template <class Request>
Parsed<Request> finished(Fields& fields, Request request) {
  const json named = fields.any("model");
  const std::string model = named.is_string() ? named.get<std::string>()
                            : named.is_null() ? ""
                                              : named.dump();
  if (model.size() > kMaxModelBytes) {
    throw Error(
        ErrorCode::InvalidArgument,
        fmt::format("model: expected at most {} bytes, got {}", kMaxModelBytes, model.size()),
        "model");
  }
  for (const char* field : kHarmless) fields.any(field);
  return {std::move(request),
          read_priority(fields),
          read_timeout(fields),
          fields.text("webhook_url").value_or(""),
          model,
          fields.unknown()};
}

}  // namespace

Parsed<VideoRequest> parse_video_request(const json& body) {
  Fields fields(body);
  VideoRequest request = read_common(fields);
  request.num_frames = fields.integer("num_frames");
  request.seconds = fields.number("seconds");
  request.fps = fields.integer("fps");
  request.quality = read_quality(fields, 50);
  if (fields.truth("stream").value_or(false)) {
    throw Error(ErrorCode::InvalidArgument,
                "stream: a video comes whole; GET /v1/videos/{id}/events tells how it goes on",
                "stream");
  }
  return finished(fields, std::move(request));
}

Parsed<ImageRequest> parse_image_request(const json& body) {
  Fields fields(body);
  ImageRequest request;
  request.still = read_common(fields);
  request.still.num_frames = 1;
  request.still.quality = read_quality(fields, 75).value_or(75);
  if (fields.word("background", {"auto", "opaque", "transparent"}) == "transparent") {
    refuse("background", "auto or opaque: frames have no alpha", "transparent");
  }
  const auto format = fields.word("output_format", {"jpeg", "jpg", "png", "webp"});
  if (format == "png") request.format = ImageFormat::Png;
  if (format == "webp") request.format = ImageFormat::Webp;
  read_input(fields, kUrlFields, request.still.inputs.image);
  if (const auto reply = fields.word("response_format", {"url", "b64_json"})) {
    request.reply = *reply == "url" ? ImageRequest::Reply::Url : ImageRequest::Reply::Base64;
  }
  request.stream = fields.truth("stream").value_or(false);
  const int partial = fields.integer("partial_images").value_or(0);
  if (partial < 0 || partial > 3) refuse("partial_images", "0 to 3", partial);
  request.partial_images = partial;
  return finished(fields, std::move(request));
}

}  // namespace reel::gen
