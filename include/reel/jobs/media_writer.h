#pragma once

#include "reel/jobs/job_runner.h"

namespace reel::jobs {

/// The real writers: MP4 for videos, an encoded picture for images.
OutputWriterFactory media_writers();

}  // namespace reel::jobs
