#pragma once

#include <optional>
#include <string>

#include "reel/store/memory_job_store.h"

namespace reel::store {

/// A job, by what counts for its place in line.
struct Asked {
  int cost = 1;
  std::string owner{};
  int priority = 0;
  std::optional<double> timeout_s{};
};

inline jobs::JobSpec spec_of(const Asked& asked) {
  jobs::JobSpec spec;
  spec.request.num_frames = 1;
  spec.request.width = spec.request.height = 16;
  spec.request.num_inference_steps = asked.cost;
  spec.request.seeds = {1};
  spec.owner = asked.owner;
  spec.priority = asked.priority;
  spec.timeout_s = asked.timeout_s;
  return spec;
}

inline std::string submit(MemoryJobStore& store, const Asked& asked) {
  return store.submit(spec_of(asked)).job.id;
}

inline std::string take(MemoryJobStore& store) { return store.take({})->job.id; }

inline void advance(MemoryJobStore& store, const std::string& id, int percent) {
  store.progress(id, {gen::Stage::Denoising, 0, 1, 2, percent, 3.0});
}

}  // namespace reel::store
