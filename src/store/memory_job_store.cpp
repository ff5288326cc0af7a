#include "reel/store/memory_job_store.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "job_table.h"
#include "news.h"

namespace reel::store {

using jobs::Job;
using jobs::Status;

struct MemoryJobStore::State {
  using Record = JobTable::Record;

  mutable std::mutex mutex;  // guards the table
  JobTable table;
  std::condition_variable_any work;
  mutable std::condition_variable finished;
  News news;

  State(size_t max_queued, std::chrono::seconds ttl, const QueueRules& rules)
      : table(max_queued, ttl, rules) {}

  std::optional<jobs::Submitted> replayed(const std::optional<jobs::Idempotency>& idempotency) {
    const Record* known = table.replayed(idempotency);
    if (known == nullptr) return std::nullopt;
    return jobs::Submitted{table.snapshot(*known), true, true};
  }

  /// Null if there is none at work.
  Record* at_work(const std::string& id) {
    Record* record = table.find(id);
    return record != nullptr && record->job.status == Status::InProgress ? record : nullptr;
  }

  /// Listeners may keep what they hear long after the job has ended: no contents of inputs.
  void tell(const Record& record) {
    Job job = table.snapshot(record);
    job.spec = record.light;
    news.push_back(std::move(job));
  }

  void end(Record& record, Status how, jobs::JobError error) {
    if (!table.move(record, how)) return;
    record.job.error = std::move(error);
    record.cancel.cancel();
    tell(record);
    finished.notify_all();
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
    JobTable& table = state_->table;
    if (auto known = state_->replayed(idempotency)) return *std::move(known);
    const auto& record = table.add(std::move(spec), idempotency);
    submitted.job = table.snapshot(record);
    submitted.keyed = idempotency.has_value();
    state_->tell(record);
  }
  state_->work.notify_all();  // one alone might be told to stop just now
  state_->news.deliver();
  return submitted;
}

std::optional<jobs::Submitted> MemoryJobStore::replayed(
    const jobs::Idempotency& idempotency) const {
  const std::lock_guard lock(state_->mutex);
  return state_->replayed(idempotency);
}

std::optional<jobs::Taken> MemoryJobStore::take(std::stop_token stop) {
  std::optional<jobs::Taken> taken;
  {
    std::unique_lock lock(state_->mutex);
    JobQueue& queue = state_->table.queue();
    state_->work.wait(lock, stop, [&] { return queue.first() != nullptr; });
    JobQueue::Entry* entry = stop.stop_requested() ? queue.first_put_back() : queue.first();
    if (entry == nullptr) return std::nullopt;
    auto& next = static_cast<State::Record&>(*entry);
    queue.take(next);
    state_->table.move(next, Status::InProgress);
    taken = jobs::Taken{next.job, next.cancel};
    state_->tell(next);
  }
  state_->news.deliver();
  return taken;
}

bool MemoryJobStore::is_preempted(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  const State::Record* record = state_->at_work(id);
  return record != nullptr && state_->table.queue().is_preempted(*record);
}

bool MemoryJobStore::put_back(const std::string& id) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->at_work(id);
    if (record == nullptr) return false;
    record->job.progress.eta_seconds.reset();
    state_->table.queue().put_back(*record);
    state_->tell(*record);
  }
  state_->work.notify_all();
  state_->news.deliver();
  return true;
}

void MemoryJobStore::progress(const std::string& id, const jobs::JobProgress& progress) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->at_work(id);
    if (record == nullptr) return;
    record->job.progress = progress;
    state_->tell(*record);
  }
  state_->news.deliver();
}

bool MemoryJobStore::complete(const std::string& id, jobs::Result result) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->at_work(id);
    if (record == nullptr) return false;
    state_->table.move(*record, Status::Completed);
    state_->table.completed(*record, std::move(result));
    state_->tell(*record);
    state_->finished.notify_all();
  }
  state_->news.deliver();
  return true;
}

bool MemoryJobStore::fail(const std::string& id, jobs::JobError error) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Record* record = state_->at_work(id);
    if (record == nullptr) return false;
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
    JobQueue& queue = state_->table.queue();
    while (JobQueue::Entry* late = queue.overdue(now)) {
      state_->end(static_cast<State::Record&>(*late), Status::Failed,
                  {"timeout", fmt::format("it was not ready after {} s, its timeout_s",
                                          *late->job.spec->timeout_s)});
    }
    next = queue.next_deadline();
  }
  state_->news.deliver();
  return next;
}

void MemoryJobStore::give_up_queue(const std::string& why) {
  {
    const std::lock_guard lock(state_->mutex);
    while (JobQueue::Entry* queued = state_->table.queue().longest_queued()) {
      state_->end(static_cast<State::Record&>(*queued), Status::Cancelled, {"cancelled", why});
    }
  }
  state_->news.deliver();
}

Job MemoryJobStore::cancel(const std::string& id, const std::string& why) {
  Job job;
  {
    const std::lock_guard lock(state_->mutex);
    State::Record& record = state_->table.need(id);
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
    State::Record& record = state_->table.need(id);
    state_->end(record, Status::Cancelled, {"cancelled", "the job was deleted"});
    job = state_->table.forget(record, nullptr);
    state_->finished.notify_all();
  }
  state_->news.deliver();
  return job;
}

std::vector<Job> MemoryJobStore::expire(int64_t now) {
  std::vector<Job> gone;
  const std::lock_guard lock(state_->mutex);
  while (State::Record* next = state_->table.expired(now)) {
    gone.push_back(state_->table.forget(*next, "it has expired"));
  }
  return gone;
}

std::vector<Job> MemoryJobStore::shrink(uint64_t bytes) {
  std::vector<Job> gone;
  const std::lock_guard lock(state_->mutex);
  while (state_->table.bytes() > bytes && state_->table.completed_jobs() > 1) {
    gone.push_back(state_->table.forget(*state_->table.first_completed(),
                                        "its files were removed to make room for newer ones"));
  }
  return gone;
}

std::optional<Job> MemoryJobStore::find(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  const State::Record* record = state_->table.find(id);
  if (record == nullptr) return std::nullopt;
  return state_->table.snapshot(*record);
}

Job MemoryJobStore::get(const std::string& id, const std::optional<std::string>& owner) const {
  const std::lock_guard lock(state_->mutex);
  return state_->table.snapshot(state_->table.need(id, owner));
}

jobs::Page MemoryJobStore::list(const jobs::ListQuery& query) const {
  const std::lock_guard lock(state_->mutex);
  return state_->table.list(query);
}

jobs::Counts MemoryJobStore::counts(jobs::Kind kind) const {
  const std::lock_guard lock(state_->mutex);
  return state_->table.counts(kind);
}

jobs::StoreState MemoryJobStore::state() const {
  const std::lock_guard lock(state_->mutex);
  const JobQueue& queue = state_->table.queue();
  return {queue.oldest_seconds(), queue.preemptions(), state_->table.bytes()};
}

std::optional<double> MemoryJobStore::seconds_to_room(const std::string& owner) const {
  const std::lock_guard lock(state_->mutex);
  return state_->table.queue().seconds_to_room(owner);
}

Job MemoryJobStore::wait(const std::string& id, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(state_->mutex);
  state_->finished.wait_for(lock, timeout, [&] {
    const State::Record* record = state_->table.find(id);
    return record == nullptr || jobs::is_final(record->job.status);
  });
  return state_->table.snapshot(state_->table.need(id));
}

std::unique_ptr<jobs::JobStore::Watch> MemoryJobStore::watch(Listener listener) {
  return state_->news.watch(std::move(listener));
}

}  // namespace reel::store
