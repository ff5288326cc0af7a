#include "reel/jobs/job.h"

namespace reel::jobs {

std::string_view name(Kind kind) { return kind == Kind::Video ? "video" : "image"; }

std::string_view name(Status status) {
  switch (status) {
    case Status::Queued:
      return "queued";
    case Status::InProgress:
      return "in_progress";
    case Status::Completed:
      return "completed";
    case Status::Failed:
      return "failed";
    case Status::Cancelled:
      break;
  }
  return "cancelled";
}

std::string_view job_error_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::OutOfMemory:
      return "out_of_memory";
    case ErrorCode::StorageFull:
      return "storage_full";
    case ErrorCode::Cancelled:
      return "cancelled";
    default:
      return "generation_failed";
  }
}

std::shared_ptr<const JobSpec> without_contents(std::shared_ptr<const JobSpec> spec) {
  if (!gen::any(spec->request.inputs)) return spec;
  JobSpec light = *spec;
  gen::for_each(light.request.inputs, [](const char*, auto& input) { input.content.reset(); });
  return std::make_shared<const JobSpec>(std::move(light));
}

}  // namespace reel::jobs
