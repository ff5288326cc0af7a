#include "reel/jobs/job_store.h"

#include <fmt/format.h>

namespace reel::jobs {

Job JobStore::get(const std::string& id) const {
  if (auto job = find(id)) return *std::move(job);
  throw Error(ErrorCode::NotFound, fmt::format("there is no job '{}'", id));
}

}  // namespace reel::jobs
