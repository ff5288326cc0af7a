#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "reel/gen/image_request.h"
#include "reel/gen/video_request.h"

namespace reel::gen {

inline constexpr int kMaxPriority = 100;    // and -100 the least
inline constexpr double kMaxTimeout = 1e6;  // seconds

/// A request, and what its body said beside it.
template <class Request>
struct Parsed {
  Request request;
  int priority = 0;                  // the higher goes first
  std::optional<double> timeout_s;   // from submission to the end; more than 0
  std::string webhook_url;           // as sent; "" if absent
  std::string model;                 // as sent, never checked; "" if absent
  std::vector<std::string> unknown;  // fields that change nothing here, sorted: for the log
};

/// Reads the body of POST /v1/videos: the fields of SGLang and OpenAI, numbers as numbers or as
/// text (a form's fields are text). `extra_body` and `extra_json` win over the fields beside them,
/// `extra_params` and `extra_args` do not.
///
/// `body` must not be nested deeper than a stack can follow: its reader limits that.
/// Throws Error(InvalidArgument) with the field's name as `param`: a wrong type, or a field that
/// asks for what this server does not have. Ranges are judged by resolve().
Parsed<VideoRequest> parse_video_request(const nlohmann::json& body);

/// The same for POST /v1/images/generations.
Parsed<ImageRequest> parse_image_request(const nlohmann::json& body);

/// `body` with `extra_body` and its like merged in, as the parsers read it.
nlohmann::json without_wrappers(const nlohmann::json& body);

/// What each input is, by its name, size and hash; not its content.
nlohmann::json inputs_json(const Inputs& inputs);

/// What is stored with a job, without the contents of inputs. resolved_from_json(to_json(x)) == x.
nlohmann::json to_json(const ResolvedRequest& request);

/// Throws Error(Internal) if `json` is not what to_json makes.
ResolvedRequest resolved_from_json(const nlohmann::json& json);

}  // namespace reel::gen
