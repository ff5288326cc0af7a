#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "api.h"
#include "reel/jobs/job.h"

namespace reel::http {

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

std::string size_of(const gen::ResolvedRequest& request);  // "832x480"
std::string_view name_of(gen::ImageFormat format);         // "png", "jpeg", "webp"

/// The only four words that clients know: aiperf polls for hours on any other. A cancelled job has
/// failed.
std::string_view wire_status(jobs::Status status);

/// What of a job changes, be it a video or images: the part of its object that events carry.
JsonText state_text(const jobs::Job& job, const Api& api, const std::string& base_url);

/// The video object: every key of SGLang's and OpenAI's, null where there is nothing to say.
/// `base_url` begins its `url`.
JsonText video_text(const jobs::Job& job, const Api& api, const std::string& base_url);

/// The reply to an image request whose job is completed.
nlohmann::json images_json(const jobs::Job& job, bool base64, const Api& api,
                           const std::string& base_url);

/// What clients may wait before they ask again: a tenth of what is left, 500 to 5,000 ms.
int poll_after_ms(const jobs::Job& job);

/// The output of a completed job that `variant` means: its number, or "" or "video" for the first.
/// Throws Error(NotFound).
const jobs::Output& output_of(const jobs::Job& job, const std::string& variant);

/// The job of this kind that the path of `request` names, if it may see it. Throws
/// Error(NotFound), or Error(Gone) if it has expired.
jobs::Job find_job(const Request& request, const Api& api, jobs::Kind kind);

/// Why a job that is not completed has no content, as a 404 `video_not_ready`.
Reply not_ready(const jobs::Job& job);

}  // namespace reel::http
