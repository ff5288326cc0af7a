#include "job_table.h"

#include <fmt/format.h>

#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/ids.h"

namespace reel::store {
namespace {

using jobs::Job;
using jobs::Status;

bool is_of(const std::string& whose, const JobTable::Owner& owner) {
  return owner.value_or(whose) == whose;
}

/// Both lists that a job is in.
std::array<std::pair<jobs::Kind, JobTable::Owner>, 2> lists_with(const jobs::JobSpec& spec) {
  return {{{spec.kind, std::nullopt}, {spec.kind, spec.owner}}};
}

}  // namespace

JobTable::Record* JobTable::replayed(const std::optional<jobs::Idempotency>& idempotency) {
  if (!idempotency) return nullptr;
  const auto known = keys_.find(idempotency->key);
  if (known == keys_.end()) return nullptr;
  const auto& [fingerprint, id] = known->second;
  if (fingerprint != idempotency->fingerprint) {
    throw Error(ErrorCode::Conflict, "Idempotency-Key: was used for another request",
                "Idempotency-Key");
  }
  return &need(id);
}

JobTable::Record& JobTable::add(jobs::JobSpec spec,
                                const std::optional<jobs::Idempotency>& idempotency) {
  queue_.require_room(spec.owner);
  Record record;
  Job& job = record.job;
  job.id = random_id(spec.kind == jobs::Kind::Video ? "video_" : "image_");
  job.spec = std::make_shared<const jobs::JobSpec>(std::move(spec));
  record.light = jobs::without_contents(job.spec);
  job.sequence = next_sequence_++;
  job.created_at = unix_seconds();
  if (idempotency) {
    record.idempotency_key = idempotency->key;
    keys_[idempotency->key] = {idempotency->fingerprint, job.id};
  }
  Record& kept = records_.emplace(job.id, std::move(record)).first->second;
  for (const auto& list : lists_with(*kept.job.spec)) lists_[list][kept.job.sequence] = &kept;
  queue_.add(kept);
  ++counts_of(kept.job).queued;
  return kept;
}

JobTable::Record* JobTable::find(const std::string& id) {
  const auto found = records_.find(id);
  return found == records_.end() ? nullptr : &found->second;
}

JobTable::Record& JobTable::need(const std::string& id, const Owner& owner) {
  Record* record = find(id);
  if (record != nullptr && is_of(record->job.spec->owner, owner)) return *record;
  const auto* known = forgotten_.find(id);
  if (known != nullptr && known->gone != nullptr && is_of(known->owner, owner)) {
    throw Error(ErrorCode::Gone, fmt::format("{}: {}", id, known->gone), "id");
  }
  throw Error(ErrorCode::NotFound, fmt::format("there is no job '{}'", id), "id");
}

Job JobTable::snapshot(const Record& record) const {
  Job job = record.job;
  if (record.turn) {  // it waits, perhaps to go on
    const auto [position, seconds] = queue_.outlook(record);
    job.queue_position = position;
    job.progress.eta_seconds = seconds;
  }
  return job;
}

jobs::Page JobTable::list(const jobs::ListQuery& query) const {
  const auto list = lists_.find({query.kind, query.owner});
  if (list == lists_.end()) return {};
  const InOrder& all = list->second;
  uint64_t last = 0;  // no job has this sequence
  if (!query.after.empty()) {
    last = sequence_of(query.after, query.kind, query.owner);
    if (last == 0) return {};
  }
  jobs::Page page;
  const auto fill = [&](auto from, auto to) {
    for (; from != to && page.jobs.size() < query.limit; ++from) {
      page.jobs.push_back(snapshot(*from->second));
    }
    page.has_more = from != to;
  };
  if (query.newest_first) {
    fill(last == 0 ? all.rbegin() : std::make_reverse_iterator(all.lower_bound(last)), all.rend());
  } else {
    fill(all.upper_bound(last), all.end());
  }
  return page;
}

/// The place of a job in the order of submission, 0 if there never was such a one.
uint64_t JobTable::sequence_of(const std::string& id, jobs::Kind kind, const Owner& owner) const {
  const auto place = [&](jobs::Kind its, const std::string& whose, uint64_t sequence) {
    return its == kind && is_of(whose, owner) ? sequence : 0;
  };
  if (const auto found = records_.find(id); found != records_.end()) {
    const Job& job = found->second.job;
    return place(job.spec->kind, job.spec->owner, job.sequence);
  }
  const auto* known = forgotten_.find(id);
  return known == nullptr ? 0 : place(known->kind, known->owner, known->sequence);
}

bool JobTable::move(Record& record, Status to) {
  Job& job = record.job;
  if (!jobs::may_become(job.status, to)) return false;
  if (to != Status::InProgress) queue_.remove(record);
  --(job.status == Status::Queued ? counts_of(job).queued : counts_of(job).in_progress);
  job.status = to;
  if (to == Status::InProgress) {
    ++counts_of(job).in_progress;
    job.started_at = unix_seconds();
    return true;
  }
  job.completed_at = unix_seconds();
  job.spec = record.light;
  if (ttl_.count() > 0) {
    job.expires_at = *job.completed_at + ttl_.count();
    expiries_[{*job.expires_at, job.sequence}] = &record;
  }
  job.progress.eta_seconds.reset();
  return true;
}

void JobTable::completed(Record& record, jobs::Result result) {
  bytes_ += jobs::bytes_of(result.outputs);
  queue_.measured(result.inference_time_s, jobs::cost_of(*record.job.spec));
  record.job.result = std::move(result);
  record.completion = next_completion_++;
  completed_[record.completion] = &record;
  record.job.progress.percent = 100;
}

JobTable::Record* JobTable::expired(int64_t now) const {
  return expiries_.empty() || expiries_.begin()->first.first >= now ? nullptr
                                                                    : expiries_.begin()->second;
}

Job JobTable::forget(Record& record, const char* gone) {
  Job job = std::move(record.job);
  for (const auto& name : lists_with(*job.spec)) {
    const auto list = lists_.find(name);
    list->second.erase(job.sequence);
    if (list->second.empty()) lists_.erase(list);
  }
  keys_.erase(record.idempotency_key);
  if (job.expires_at) expiries_.erase({*job.expires_at, job.sequence});
  if (job.result) {
    completed_.erase(record.completion);
    bytes_ -= jobs::bytes_of(job.result->outputs);
  }
  records_.erase(job.id);
  forgotten_.add(job.id, {job.spec->kind, job.spec->owner, job.sequence, gone});
  return job;
}

}  // namespace reel::store
