#include "perf_dump.h"

#include <nlohmann/json.hpp>

#include "reel/base/part_file.h"

namespace reel::cli {

void StepTimes::see(const jobs::Job& job) {
  const auto& progress = job.progress;
  const std::lock_guard lock(mutex_);
  const double now = watch_.seconds();
  if (job.status != jobs::Status::InProgress || progress.stage != gen::Stage::Denoising) {
    began_ = now;
  } else if (progress.step > step_) {
    seconds_.push_back(now - began_);
    step_ = progress.step;
    began_ = now;
  }
}

std::vector<double> StepTimes::seconds() const {
  const std::lock_guard lock(mutex_);
  return seconds_;
}

void write_perf_dump(const std::string& path, const jobs::Job& job, const PerfFigures& figures) {
  const auto& result = *job.result;
  nlohmann::json dump{{"load_s", figures.load_s},
                      {"ready_s", figures.ready_s},
                      {"total_s", figures.total_s},
                      {"steps_s", figures.steps_s},
                      {"stages_s",
                       {{"text_encode", result.stages.text_encode},
                        {"image_encode", result.stages.image_encode},
                        {"vae_encode", result.stages.vae_encode},
                        {"denoise", result.stages.denoise},
                        {"vae_decode", result.stages.vae_decode},
                        {"encode_mp4", std::max(0.0, figures.total_s - result.inference_time_s)}}}};
  if (result.peak_memory_mb) dump["peak_memory_mb"] = *result.peak_memory_mb;
  PartFile file(path);
  file.write(dump.dump(2) + "\n");
  file.commit();
}

}  // namespace reel::cli
