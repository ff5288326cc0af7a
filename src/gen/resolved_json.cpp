#include <fmt/format.h>

#include "reel/base/error.h"
#include "reel/gen/request_json.h"

namespace reel::gen {
namespace {

using nlohmann::json;

/// Calls `visit(key, member)` for each member of a request: the one list that both ways share.
template <class Request, class Visit>
void visit_members(Request& request, const Visit& visit) {
  visit("prompt", request.prompt);
  visit("negative_prompt", request.negative_prompt);
  visit("width", request.width);
  visit("height", request.height);
  visit("num_frames", request.num_frames);
  visit("fps", request.fps);
  visit("seeds", request.seeds);
  visit("generator_device", request.generator_device);
  visit("num_inference_steps", request.num_inference_steps);
  visit("guidance_scale", request.guidance_scale);
  visit("guidance_scale_2", request.guidance_scale_2);
  visit("flow_shift", request.flow_shift);
  visit("max_sequence_length", request.max_sequence_length);
  visit("conditioning_scale", request.conditioning_scale);
  visit("preview_steps", request.preview_steps);
}

/// Never the content itself.
template <class Content>
json shown(const Input<Content>& input) {
  return {{"field", input.field}, {"sha256", input.sha256}, {"bytes", input.bytes},
          {"width", input.width}, {"height", input.height}, {"frames", input.frames}};
}

template <class Content>
void read(const json& object, Input<Content>& input) {
  object.at("field").get_to(input.field);
  object.at("sha256").get_to(input.sha256);
  object.at("bytes").get_to(input.bytes);
  object.at("width").get_to(input.width);
  object.at("height").get_to(input.height);
  object.at("frames").get_to(input.frames);
}

void read(const json& object, Inputs& inputs) {
  const auto one = [&](const char* key, auto& input) {
    if (object.contains(key)) read(object[key], input.emplace());
  };
  one("image", inputs.image);
  one("last_image", inputs.last_image);
  one("video", inputs.video);
  one("mask", inputs.mask);
  for (const json& image : object.value("reference_images", json::array())) {
    read(image, inputs.reference_images.emplace_back());
  }
}

}  // namespace

json inputs_json(const Inputs& inputs) {
  json object = json::object();
  for_each(inputs, [&](const std::string& name, const auto& input) {
    if (name == "reference_images") {
      object[name].push_back(shown(input));
    } else {
      object[name] = shown(input);
    }
  });
  return object;
}

json to_json(const ResolvedRequest& request) {
  json object;
  visit_members(request, [&](const char* key, const auto& member) { object[key] = member; });
  if (request.boundary_ratio) object["boundary_ratio"] = *request.boundary_ratio;
  if (request.strength) object["strength"] = *request.strength;
  for (const auto& [key, steps] : {std::pair("dmd_denoising_steps", request.dmd_denoising_steps),
                                   {"denoising_step_list", request.denoising_step_list}}) {
    if (!steps.empty()) object[key] = steps;
  }
  if (any(request.inputs)) object["inputs"] = inputs_json(request.inputs);
  return object;
}

ResolvedRequest resolved_from_json(const json& object) {
  try {
    ResolvedRequest request;
    visit_members(request, [&](const char* key, auto& member) { object.at(key).get_to(member); });
    if (object.contains("boundary_ratio")) {
      request.boundary_ratio = object["boundary_ratio"].get<double>();
    }
    if (object.contains("strength")) request.strength = object["strength"].get<double>();
    request.dmd_denoising_steps = object.value("dmd_denoising_steps", std::vector<int>{});
    request.denoising_step_list = object.value("denoising_step_list", std::vector<int>{});
    if (object.contains("inputs")) read(object["inputs"], request.inputs);
    return request;
  } catch (const json::exception& error) {
    throw Error(ErrorCode::Internal, fmt::format("a stored request is broken: {}", error.what()));
  }
}

}  // namespace reel::gen
