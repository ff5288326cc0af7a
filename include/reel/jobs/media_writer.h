#pragma once

#include <string>

#include "reel/jobs/job_runner.h"

namespace reel::jobs {

/// The real writers: MP4 for videos, an encoded picture for images. Each file tells how it was
/// made, by which `model`: not the word of the request for it. With `pictures`, videos come with
/// theirs.
OutputWriterFactory media_writers(std::string model, bool pictures);

}  // namespace reel::jobs
