#include "job_metrics.h"

#include <utility>

namespace reel::jobs {

JobMetrics::JobMetrics(JobStore& jobs, Metrics& metrics, std::string model)
    : jobs_(jobs),
      metrics_(metrics),
      model_(std::move(model)),
      step_(metrics.histogram("serve_step_seconds", "Denoising steps.", {{"model", model_}})),
      queue_wait_(metrics.histogram("serve_queue_wait_seconds", "From submission to start.")),
      duration_(metrics.histogram("serve_job_duration_seconds", "From submission to the end.")),
      preemptions_(metrics.counter("serve_preemptions_total", "Jobs paused for another one.")) {
  for (const Kind kind : {Kind::Video, Kind::Image}) {
    wait({kind, 0}, 0);
    for (const Status end : {Status::Completed, Status::Failed, Status::Cancelled}) {
      ended(kind, end);
    }
  }
  watch_ = jobs.watch([this](const Job& job) { on_change(job); });
  show_levels();
}

void JobMetrics::stage(const std::string& name, double seconds) const {
  metrics_.histogram("serve_stage_seconds", "Parts of a job.", {{"stage", name}}).observe(seconds);
}

void JobMetrics::on_change(const Job& job) {
  const auto [found, is_new] = active_.try_emplace(job.id);
  Active& active = found->second;
  const Queue queue(job.spec->kind, job.spec->priority);
  if (is_new) wait(queue, 1);
  if (job.status == Status::InProgress) {
    if (active.started) return;  // mere progress
    active.started = true;
    queue_wait_.observe(active.since_submit.seconds());
    wait(queue, -1);
  } else if (is_final(job.status)) {
    duration_.observe(active.since_submit.seconds());
    if (!active.started) wait(queue, -1);
    active_.erase(found);
    ended(job.spec->kind, job.status).add();
  }
  show_levels();
}

Counter JobMetrics::ended(Kind kind, Status how) const {
  return metrics_.counter(
      "serve_jobs_total", "Jobs that have ended.",
      {{"kind", std::string(name(kind))}, {"status", std::string(name(how))}, {"model", model_}});
}

void JobMetrics::wait(const Queue& queue, int more) {
  const auto& [kind, priority] = queue;
  metrics_
      .gauge("serve_queue_depth", "Jobs that wait.",
             {{"kind", std::string(name(kind))}, {"priority", std::to_string(priority)}})
      .set(waiting_[queue] += more);
}

void JobMetrics::show_levels() const {
  Counts all;
  for (const Kind kind : {Kind::Video, Kind::Image}) {
    const Counts counts = jobs_.counts(kind);
    all.queued += counts.queued;
    all.in_progress += counts.in_progress;
  }
  const auto running = static_cast<double>(all.in_progress);
  metrics_.gauge("serve_jobs_running", "Jobs in progress.").set(running);
  // The names that dashboards made for SGLang read.
  metrics_.gauge("sglang:num_running_reqs", "Jobs in progress.").set(running);
  metrics_.gauge("sglang:num_queue_reqs", "Jobs that wait.").set(static_cast<double>(all.queued));
}

}  // namespace reel::jobs
