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
}

}  // namespace

json to_json(const ResolvedRequest& request) {
  json object;
  visit_members(request, [&](const char* key, const auto& member) { object[key] = member; });
  if (request.boundary_ratio) object["boundary_ratio"] = *request.boundary_ratio;
  return object;
}

ResolvedRequest resolved_from_json(const json& object) {
  try {
    ResolvedRequest request;
    visit_members(request, [&](const char* key, auto& member) { object.at(key).get_to(member); });
    if (object.contains("boundary_ratio")) {
      request.boundary_ratio = object["boundary_ratio"].get<double>();
    }
    return request;
  } catch (const json::exception& error) {
    throw Error(ErrorCode::Internal, fmt::format("a stored request is broken: {}", error.what()));
  }
}

}  // namespace reel::gen
