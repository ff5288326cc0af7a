#include "reel/jobs/queue_policy.h"

#include <algorithm>

namespace reel::jobs {

double cost_left(const Job& job) { return cost_of(*job.spec) * (1 - job.progress.percent / 100.0); }

double cost_of(const JobSpec& spec) {
  const gen::ResolvedRequest& request = spec.request;
  // A model with other strides has another unit, the same for all its jobs.
  const double frames = (request.num_frames - 1) / 4 + 1;
  const double tokens = frames * request.height / 16 * request.width / 16;
  const int branches = request.guidance_scale > 1 ? 2 : 1;
  return tokens * request.num_inference_steps * branches * request.num_outputs();
}

double QueuePolicy::queued(const JobSpec& spec) {
  Level& level = levels_[spec.priority];
  Owner& owner = level.owners[spec.owner];
  const double begins = std::max(level.now, owner.until());
  owner.queued_until.insert(begins + cost_of(spec));
  return begins;
}

void QueuePolicy::taken(const JobSpec& spec, double begins) {
  Level& level = levels_[spec.priority];
  level.now = std::max(level.now, begins);
  withdrawn(spec, begins);
  double& until = level.owners[spec.owner].taken_until;
  until = std::max(until, begins + cost_of(spec));
}

void QueuePolicy::withdrawn(const JobSpec& spec, double begins) {
  auto& until = levels_[spec.priority].owners[spec.owner].queued_until;
  until.erase(until.find(begins + cost_of(spec)));
}

Turn QueuePolicy::turn(const Job& job, double begins, double left) const {
  const double later = order_ == QueueOrder::Shortest ? kPatience * left : 0;
  return {job.spec->priority, begins + later, job.sequence};
}

Turn QueuePolicy::turn(const Job& job, double begins) const {
  return turn(job, begins, cost_left(job));
}

bool QueuePolicy::preempts(const Turn& first, const Job& running, double begins) const {
  if (first.priority != running.spec->priority) return first.priority > running.spec->priority;
  return order_ == QueueOrder::Shortest && first < turn(running, begins, cost_left(running) / 2);
}

}  // namespace reel::jobs
