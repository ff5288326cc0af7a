#pragma once

#include <memory>

#include "reel/jobs/job_store.h"
#include "reel/jobs/queue_policy.h"

namespace reel::store {

struct QueueRules {
  jobs::QueueOrder order = jobs::QueueOrder::Fifo;
  size_t max_per_owner = 0;  // jobs that may wait of one owner; 0: no limit
};

/// Jobs in this process' memory: gone with it.
class MemoryJobStore final : public jobs::JobStore {
 public:
  /// submit() throws Error(QueueFull) while `max_queued` jobs wait that have not begun. A finished
  /// job expires after `ttl`; 0: never.
  explicit MemoryJobStore(size_t max_queued, std::chrono::seconds ttl = {}, QueueRules rules = {});
  ~MemoryJobStore() override;

  jobs::Submitted submit(jobs::JobSpec spec,
                         const std::optional<jobs::Idempotency>& idempotency = {}) override;
  std::optional<jobs::Submitted> replayed(const jobs::Idempotency& idempotency) const override;
  std::optional<jobs::Taken> take(std::stop_token stop) override;
  bool is_preempted(const std::string& id) const override;
  bool put_back(const std::string& id) override;
  void progress(const std::string& id, const jobs::JobProgress& progress) override;
  bool complete(const std::string& id, jobs::Result result) override;
  bool fail(const std::string& id, jobs::JobError error) override;
  std::optional<Clock::time_point> fail_overdue(Clock::time_point now) override;
  void give_up_queue(const std::string& why) override;
  jobs::Job cancel(const std::string& id, const std::string& why) override;
  jobs::Job remove(const std::string& id) override;
  std::vector<jobs::Job> expire(int64_t now) override;
  std::vector<jobs::Job> shrink(uint64_t bytes) override;
  std::optional<jobs::Job> find(const std::string& id) const override;
  jobs::Job get(const std::string& id, const std::optional<std::string>& owner = {}) const override;
  jobs::Page list(const jobs::ListQuery& query) const override;
  jobs::Counts counts(jobs::Kind kind) const override;
  jobs::StoreState state() const override;
  std::optional<double> seconds_to_room(const std::string& owner) const override;
  jobs::Job wait(const std::string& id, std::chrono::milliseconds timeout) const override;
  [[nodiscard]] std::unique_ptr<Watch> watch(Listener listener) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reel::store
