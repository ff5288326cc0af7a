#include "reel/store/memory_job_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "forgotten_jobs.h"
#include "job_queue.h"
#include "news.h"
#include "reel/base/clock.h"
#include "reel/base/ids.h"

namespace reel::store {

using jobs::Job;
using jobs::Status;

struct MemoryJobStore::State {
  struct Record : JobQueue::Entry {
    CancelToken cancel;
    std::string idempotency_key;
    uint64_t completion = 0;  // in the order of completion
  };
  using Records = std::unordered_map<std::string, Record>;
  using Owner = std::optional<std::string>;     // none: whoever
  using InOrder = std::map<uint64_t, Record*>;  // of submission

  State(size_t max_queued, std::chrono::seconds kept, const QueueRules& rules)
      : ttl(kept), queue(max_queued, rules.max_per_owner, rules.order) {}

  const std::chrono::seconds ttl;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable_any work;
  mutable std::condition_variable finished;
  Records records;
  std::map<std::pair<jobs::Kind, Owner>, InOrder> lists;
  std::array<jobs::Counts, 2> counts;
  JobQueue queue;
  std::unordered_map<std::string, std::pair<std::string, std::string>> keys;  // fingerprint, id
  std::map<std::pair<int64_t, uint64_t>, Record*> expiries;  // expires_at, sequence
  std::map<uint64_t, Record*> completed;                     // in that order
  uint64_t next_completion = 0;
  uint64_t bytes = 0;  // of their files
  ForgottenJobs forgotten;
  uint64_t next_sequence = 1;
  News news;

  static bool is_of(const std::string& whose, const Owner& owner) {
    return owner.value_or(whose) == whose;
  }
  jobs::Counts& counts_of(const Record& record) {
    return counts[static_cast<size_t>(record.job.spec->kind)];
  }

  Job snapshot(const Record& record) const {
    Job job = record.job;
    if (job.status == Status::Queued) {
      job.queue_position = queue.position(record);
      job.progress.eta_seconds = queue.seconds_to_end(record);
    }
    return job;
  }

  Record* find(const std::string& id) {
    const auto found = records.find(id);
    return found == records.end() ? nullptr : &found->second;
  }

  Record& need(const std::string& id, const Owner& owner = {}) {
    Record* record = find(id);
    if (record != nullptr && is_of(record->job.spec->owner, owner)) return *record;
    const auto* known = forgotten.find(id);
    if (known != nullptr && known->gone != nullptr && is_of(known->owner, owner)) {
      throw Error(ErrorCode::Gone, fmt::format("{}: {}", id, known->gone), "id");
    }
    throw Error(ErrorCode::NotFound, fmt::format("there is no job '{}'", id), "id");
  }

  /// The place of a job in the order of submission, 0 if there never was such a one.
  uint64_t sequence_of(const std::string& id, jobs::Kind kind, const Owner& owner) const {
    const auto place = [&](jobs::Kind its, const std::string& whose, uint64_t sequence) {
      return its == kind && is_of(whose, owner) ? sequence : 0;
    };
    if (const auto found = records.find(id); found != records.end()) {
      const Job& job = found->second.job;
      return place(job.spec->kind, job.spec->owner, job.sequence);
    }
    const auto* known = forgotten.find(id);
    return known == nullptr ? 0 : place(known->kind, known->owner, known->sequence);
  }

  /// Both lists that a job is in.
  void enlist(Record& record) {
    const Job& job = record.job;
    for (const Owner& owner : {Owner(), Owner(job.spec->owner)}) {
      lists[{job.spec->kind, owner}][job.sequence] = &record;
    }
  }
  void delist(const Job& job) {
    for (const Owner& owner : {Owner(), Owner(job.spec->owner)}) {
      const auto list = lists.find({job.spec->kind, owner});
      list->second.erase(job.sequence);
      if (list->second.empty()) lists.erase(list);
    }
  }

  /// The one place where a job moves. False if it may not.
  bool move(Record& record, Status to) {
    Job& job = record.job;
    if (!jobs::may_become(job.status, to)) return false;
    if (to != Status::InProgress) queue.remove(record);
    --(job.status == Status::Queued ? counts_of(record).queued : counts_of(record).in_progress);
    job.status = to;
    if (to == Status::InProgress) {
      ++counts_of(record).in_progress;
      job.started_at = unix_seconds();
    } else {
      job.completed_at = unix_seconds();
      job.spec = jobs::without_contents(std::move(job.spec));
      if (ttl.count() > 0) {
        job.expires_at = *job.completed_at + ttl.count();
        expiries[{*job.expires_at, job.sequence}] = &record;
      }
      job.progress.eta_seconds.reset();
      finished.notify_all();
    }
    return true;
  }

  void end(Record& record, Status how, jobs::JobError error) {
    if (!move(record, how)) return;
    record.job.error = std::move(error);
    record.cancel.cancel();
    news.push_back(record.job);
  }

  /// The last state of a finished job that is there no more.
  Job forget(Record& record, const char* gone) {
    Job job = std::move(record.job);
    delist(job);
    keys.erase(record.idempotency_key);
    if (job.expires_at) expiries.erase({*job.expires_at, job.sequence});
    if (job.result) {
      completed.erase(record.completion);
      bytes -= jobs::bytes_of(job.result->outputs);
    }
    records.erase(job.id);
    forgotten.add(job.id, {job.spec->kind, job.spec->owner, job.sequence, gone});
    return job;
  }
};

MemoryJobStore::MemoryJobStore(size_t max_queued, std::chrono::seconds ttl, QueueRules rules)
    : state_(std::make_unique<State>(max_queued, ttl, rules)) {}

MemoryJobStore::~MemoryJobStore() = default;

jobs::Submitted MemoryJobStore::submit(jobs::JobSpec spec,
                                       const std::optional<jobs::Idempotency>& idempotency) {
  jobs::Submitted submitted;
  {
    const std::lock_guard lock(state_->mutex);
    if (idempotency) {
      const auto known = state_->keys.find(idempotency->key);
      if (known != state_->keys.end()) {
        const auto& [fingerprint, id] = known->second;
        if (fingerprint != idempotency->fingerprint) {
          throw Error(ErrorCode::Conflict, "Idempotency-Key: was used for another request",
                      "Idempotency-Key");
        }
        return {state_->snapshot(state_->need(id)), true};
      }
    }
    state_->queue.require_room(spec.owner);
    State::Record record;
    Job& job = record.job;
    job.id = random_id(spec.kind == jobs::Kind::Video ? "video_" : "image_");
    job.spec = std::make_shared<const jobs::JobSpec>(std::move(spec));
    job.sequence = state_->next_sequence++;
    job.created_at = unix_seconds();
    if (idempotency) {
      record.idempotency_key = idempotency->key;
      state_->keys[idempotency->key] = {idempotency->fingerprint, job.id};
    }
    State::Record& kept = state_->records.emplace(job.id, std::move(record)).first->second;
    state_->enlist(kept);
    state_->queue.add(kept);
    ++state_->counts_of(kept).queued;
    submitted.job = state_->snapshot(kept);
    state_->news.push_back(submitted.job);
  }
  state_->work.notify_all();  // one alone might be told to stop just now
  state_->news.deliver();
  return submitted;
}

std::optional<jobs::Taken> MemoryJobStore::take(std::stop_token stop) {
  std::optional<jobs::Taken> taken;
  {
    std::unique_lock lock(state_->mutex);
    state_->work.wait(lock, stop, [&] { return state_->queue.first() != nullptr; });
    JobQueue::Entry* entry =
        stop.stop_requested() ? state_->queue.first_put_back() : state_->queue.first();
    if (entry == nullptr) return std::nullopt;
    auto& next = static_cast<State::Record&>(*entry);
    state_->queue.take(next);
    state_->move(next, Status::InProgress);
    taken = jobs::Taken{next.job, next.cancel};
    state_->news.push_back(next.job);
  }
  state_->news.deliver();
  return taken;
}

bool MemoryJobStore::is_preempted(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  const State::Record* record = state_->find(id);
  return record != nullptr && record->job.status == Status::InProgress &&
         state_->queue.is_preempted(*record);
}

bool MemoryJobStore::put_back(const std::string& id) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->find(id);
    if (record == nullptr || record->job.status != Status::InProgress) return false;
    record->job.progress.eta_seconds.reset();
    state_->queue.put_back(*record);
    state_->news.push_back(record->job);
  }
  state_->work.notify_all();
  state_->news.deliver();
  return true;
}

void MemoryJobStore::progress(const std::string& id, const jobs::JobProgress& progress) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->find(id);
    if (record == nullptr || record->job.status != Status::InProgress) return;
    record->job.progress = progress;
    state_->news.push_back(record->job);
  }
  state_->news.deliver();
}

bool MemoryJobStore::complete(const std::string& id, jobs::Result result) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->find(id);
    if (record == nullptr || !state_->move(*record, Status::Completed)) return false;
    state_->bytes += jobs::bytes_of(result.outputs);
    state_->queue.measured(result.inference_time_s);
    record->job.result = std::move(result);
    record->completion = state_->next_completion++;
    state_->completed[record->completion] = record;
    record->job.progress.percent = 100;
    state_->news.push_back(record->job);
  }
  state_->news.deliver();
  return true;
}

bool MemoryJobStore::fail(const std::string& id, jobs::JobError error) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->find(id);
    if (record == nullptr || record->job.status != Status::InProgress) return false;
    state_->end(*record, Status::Failed, std::move(error));
  }
  state_->news.deliver();
  return true;
}

std::optional<jobs::JobStore::Clock::time_point> MemoryJobStore::fail_overdue(
    Clock::time_point now) {
  std::optional<Clock::time_point> next;
  {
    const std::lock_guard lock(state_->mutex);
    while (JobQueue::Entry* late = state_->queue.overdue(now)) {
      state_->end(static_cast<State::Record&>(*late), Status::Failed,
                  {"timeout", fmt::format("it was not ready after {} s, its timeout_s",
                                          *late->job.spec->timeout_s)});
    }
    next = state_->queue.next_deadline();
  }
  state_->news.deliver();
  return next;
}

Job MemoryJobStore::cancel(const std::string& id, const std::string& why) {
  Job job;
  {
    const std::lock_guard lock(state_->mutex);
    State::Record& record = state_->need(id);
    state_->end(record, Status::Cancelled, {"cancelled", why});
    job = record.job;
  }
  state_->news.deliver();
  return job;
}

Job MemoryJobStore::remove(const std::string& id) {
  Job job;
  {
    const std::lock_guard lock(state_->mutex);
    State::Record& record = state_->need(id);
    state_->end(record, Status::Cancelled, {"cancelled", "the job was deleted"});
    job = state_->forget(record, nullptr);
    state_->finished.notify_all();
  }
  state_->news.deliver();
  return job;
}

std::vector<Job> MemoryJobStore::expire(int64_t now) {
  std::vector<Job> gone;
  const std::lock_guard lock(state_->mutex);
  while (!state_->expiries.empty() && state_->expiries.begin()->first.first < now) {
    gone.push_back(state_->forget(*state_->expiries.begin()->second, "it has expired"));
  }
  return gone;
}

std::vector<Job> MemoryJobStore::shrink(uint64_t bytes) {
  std::vector<Job> gone;
  const std::lock_guard lock(state_->mutex);
  while (state_->bytes > bytes) {
    gone.push_back(state_->forget(*state_->completed.begin()->second,
                                  "its files were removed to make room for newer ones"));
  }
  return gone;
}

std::optional<Job> MemoryJobStore::find(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  const State::Record* record = state_->find(id);
  if (record == nullptr) return std::nullopt;
  return state_->snapshot(*record);
}

Job MemoryJobStore::get(const std::string& id, const std::optional<std::string>& owner) const {
  const std::lock_guard lock(state_->mutex);
  return state_->snapshot(state_->need(id, owner));
}

jobs::Page MemoryJobStore::list(const jobs::ListQuery& query) const {
  const std::lock_guard lock(state_->mutex);
  const auto list = state_->lists.find({query.kind, query.owner});
  if (list == state_->lists.end()) return {};
  const State::InOrder& all = list->second;
  uint64_t last = 0;  // no job has this sequence
  if (!query.after.empty()) {
    last = state_->sequence_of(query.after, query.kind, query.owner);
    if (last == 0) return {};
  }
  jobs::Page page;
  const auto fill = [&](auto from, auto to) {
    for (; from != to && page.jobs.size() < query.limit; ++from) {
      page.jobs.push_back(state_->snapshot(*from->second));
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

jobs::Counts MemoryJobStore::counts(jobs::Kind kind) const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts[static_cast<size_t>(kind)];
}

jobs::StoreState MemoryJobStore::state() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->queue.oldest_seconds(), state_->queue.preemptions(), state_->bytes};
}

std::optional<double> MemoryJobStore::seconds_to_room(const std::string& owner) const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.seconds_to_room(owner);
}

Job MemoryJobStore::wait(const std::string& id, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(state_->mutex);
  state_->finished.wait_for(lock, timeout, [&] {
    const State::Record* record = state_->find(id);
    return record == nullptr || jobs::is_final(record->job.status);
  });
  return state_->snapshot(state_->need(id));
}

std::unique_ptr<jobs::JobStore::Watch> MemoryJobStore::watch(Listener listener) {
  return state_->news.watch(std::move(listener));
}

}  // namespace reel::store
