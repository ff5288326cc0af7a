#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <thread>
#include <tuple>

#include "reel/jobs/job_runner.h"
#include "runner_test.h"

// Jobs that give way to others between two steps, and go on.
namespace reel::jobs {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class Preemption : public RunnerTest {
 protected:
  /// The fake's hook: at one question of one job it waits until the test lets it go on.
  void stop_at(const std::string& prompt, int question) {
    generator_.hook = [this, prompt, question, asked = 0](const gen::ResolvedRequest& request,
                                                          int) mutable {
      calls_.push_back(request.prompt);
      if (request.prompt != prompt || ++asked != question) return;
      reached_.open();
      go_on_.pass();
    };
  }

  /// Of different owners, so that only priorities and lengths count.
  std::string submit_job(const std::string& prompt, int steps, int priority, int outputs = 1,
                         std::optional<double> timeout_s = {}) {
    gen::VideoRequest request;
    request.prompt = prompt;
    request.num_outputs = outputs;
    request.num_inference_steps = steps;
    request.seeds = {7};
    JobSpec spec;
    spec.request = generator_.check(request);
    spec.priority = priority;
    spec.timeout_s = timeout_s;
    spec.owner = prompt;
    return store().submit(std::move(spec)).job.id;
  }

  store::MemoryJobStore& store() { return shortest_ ? *shortest_ : jobs_; }

  std::string bytes_of(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  /// Who was asked between two steps, a run of the same one counted once.
  std::vector<std::string> turns() const {
    std::vector<std::string> all = calls_;
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  Gate reached_, go_on_;
  std::vector<std::string> calls_;
  std::unique_ptr<store::MemoryJobStore> shortest_;
};

TEST_F(Preemption, AnUrgentJobRunsBetweenTwoStepsOfAnotherWhichEndsTheSame) {
  const auto undisturbed = submit_job("long", 8, 0, 2);
  {
    const auto runner = run();
    ASSERT_EQ(finished(undisturbed).status, Status::Completed);
  }
  stop_at("long", 3);
  std::vector<JobProgress> seen;
  std::string slow;
  const auto watch = jobs_.watch([&](const Job& job) {
    if (job.id == slow && job.status == Status::InProgress) seen.push_back(job.progress);
  });
  slow = submit_job("long", 8, 0, 2);
  const auto runner = run();
  reached_.pass();
  const auto urgent = submit_job("urgent", 4, 1);
  go_on_.open();
  ASSERT_EQ(finished(urgent).status, Status::Completed);
  const Job job = finished(slow);
  ASSERT_EQ(job.status, Status::Completed);
  EXPECT_THAT(turns(), ElementsAre("long", "urgent", "long"));
  for (const char* output : {"_0.mp4", "_1.mp4"}) {
    EXPECT_EQ(bytes_of(slow + output), bytes_of(undisturbed + output));
    EXPECT_FALSE(bytes_of(slow + output).empty());
  }
  for (size_t i = 1; i < seen.size(); ++i) {
    const auto place = [](const JobProgress& p) { return std::tuple(p.output, p.stage, p.step); };
    EXPECT_GE(seen[i].percent, seen[i - 1].percent);
    EXPECT_GE(place(seen[i]), place(seen[i - 1])) << "no way back";
  }
  EXPECT_EQ(jobs_.state().preemptions, 1u);
  EXPECT_NE(metrics_.text().find("serve_preemptions_total 1\n"), std::string::npos);
  EXPECT_GE(job.result->inference_time_s, job.result->stages.denoise);
}

TEST_F(Preemption, KeepsTheOutputsThatWereMade) {
  stop_at("long", 4 + 5 + 2);  // four steps, five frames of latents, then the second output
  const auto slow = submit_job("long", 4, 0, 3);
  const auto runner = run();
  reached_.pass();
  const auto urgent = submit_job("urgent", 1, 1);
  go_on_.open();
  finished(urgent);
  EXPECT_EQ(finished(slow).result->outputs.size(), 3u);
  EXPECT_THAT(turns(), ElementsAre("long", "urgent", "long"));
  EXPECT_EQ(files().size(), 4u);
}

TEST_F(Preemption, PausesNoJobThatIsDecoded) {
  stop_at("long", 4 + 1);
  const auto slow = submit_job("long", 4, 0);
  const auto runner = run();
  reached_.pass();
  const auto urgent = submit_job("urgent", 1, 1);
  go_on_.open();
  finished(urgent);
  EXPECT_EQ(finished(slow).status, Status::Completed);
  EXPECT_THAT(turns(), ElementsAre("long", "urgent"));
  EXPECT_EQ(jobs_.state().preemptions, 0u);
}

TEST_F(Preemption, AShortJobInterruptsALongOneIfToldTo) {
  shortest_ = std::make_unique<store::MemoryJobStore>(
      10, 0s, store::QueueRules{.order = QueueOrder::Shortest});
  stop_at("long", 2);
  const auto slow = submit_job("long", 40, 0);
  const JobRunner runner(store(), blobs_, generator_, raw_writers(), metrics_);
  reached_.pass();
  const auto quick = submit_job("quick", 4, 0), similar = submit_job("similar", 45, 0);
  go_on_.open();
  EXPECT_EQ(store().wait(similar, 1min).status, Status::Completed);
  EXPECT_THAT(turns(), ElementsAre("long", "quick", "long", "similar"));
}

TEST_F(Preemption, PausesAJobWithinAPause) {
  Gate second_reached, second_go_on;
  int longs = 0, mediums = 0;
  generator_.hook = [&](const gen::ResolvedRequest& request, int) {
    calls_.push_back(request.prompt);
    if (request.prompt == "long" && ++longs == 2) reached_.open(), go_on_.pass();
    if (request.prompt == "medium" && ++mediums == 2) second_reached.open(), second_go_on.pass();
  };
  const auto slow = submit_job("long", 6, 0);
  const auto runner = run();
  reached_.pass();
  submit_job("medium", 6, 1);
  go_on_.open();
  second_reached.pass();
  submit_job("urgent", 6, 2);
  second_go_on.open();
  EXPECT_EQ(finished(slow).status, Status::Completed);
  EXPECT_THAT(turns(), ElementsAre("long", "medium", "urgent", "medium", "long"));
}

/// A job with one output made, paused in its second one, while another runs until it is let go.
class Paused : public Preemption {
 protected:
  void pause() {
    generator_.hook = [this, asked = 0](const gen::ResolvedRequest& request, int) mutable {
      if (request.prompt == "urgent") urgent_runs_.open(), go_on_.pass();
      if (request.prompt == "long" && ++asked == 4 + 5 + 2) reached_.open(), to_pause_.pass();
    };
    paused_ = submit_job("long", 4, 0, 2, 1e5);
    runner_ = run();
    reached_.pass();
    urgent_ = submit_job("urgent", 2, 1);
    to_pause_.open();
    urgent_runs_.pass();
    ASSERT_EQ(jobs_.get(paused_).status, Status::InProgress);
  }

  void expect_no_file_of_it() {
    go_on_.open();
    EXPECT_EQ(finished(urgent_).status, Status::Completed);
    EXPECT_TRUE(runner_->drain(1min));
    EXPECT_THAT(files(), ElementsAre(urgent_ + ".mp4"));
  }

  Gate to_pause_, urgent_runs_;
  std::string paused_, urgent_;
  std::unique_ptr<JobRunner> runner_;
};

TEST_F(Paused, IsCancelledAtOnce) {
  pause();
  EXPECT_EQ(jobs_.cancel(paused_, "test").status, Status::Cancelled);
  expect_no_file_of_it();
}

TEST_F(Paused, IsRemovedAtOnce) {
  pause();
  jobs_.remove(paused_);
  expect_no_file_of_it();
}

TEST_F(Paused, FailsAtItsDeadline) {
  pause();
  jobs_.fail_overdue(JobStore::Clock::now() + 48h);
  const Job job = jobs_.get(paused_);
  EXPECT_EQ(job.status, Status::Failed);
  EXPECT_EQ(job.error->code, "timeout");
  expect_no_file_of_it();
}

TEST_F(Paused, IsFinishedBeforeTheRunnerEnds) {
  pause();
  const auto queued = submit_job("queued", 1, 0);
  std::jthread opener([&] {
    std::this_thread::sleep_for(20ms);
    go_on_.open();
  });
  EXPECT_TRUE(runner_->drain(1min));
  EXPECT_EQ(jobs_.get(paused_).status, Status::Completed);
  EXPECT_EQ(jobs_.get(queued).status, Status::Cancelled);
}

TEST_F(Paused, IsCancelledWhenTheRunnerMustEnd) {
  pause();
  const auto watch = jobs_.watch([&](const Job& job) {
    if (job.id == urgent_ && job.status == Status::Cancelled) go_on_.open();
  });
  EXPECT_FALSE(runner_->drain(5ms));
  EXPECT_EQ(jobs_.get(paused_).status, Status::Cancelled);
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(RunnerTest, FailsJobsAtTheirDeadlineQueuedOrRunning) {
  std::atomic<int> steps = 0;
  Gate go_on;
  generator_.hook = [&](const gen::ResolvedRequest& request, int) {
    if (request.prompt != "late") return;
    ++steps;
    go_on.pass();
  };
  const auto submit_late = [&](const std::string& prompt, double timeout_s) {
    gen::VideoRequest request;
    request.prompt = prompt;
    request.seeds = {7};
    JobSpec spec;
    spec.request = generator_.check(request);
    spec.timeout_s = timeout_s;
    return jobs_.submit(std::move(spec)).job.id;
  };
  const auto runner = run();
  const auto running = submit_late("late", 0.3), queued = submit_late("never begun", 0.2),
             last = submit();
  for (const auto& id : {queued, running}) {
    EXPECT_EQ(finished(id).status, Status::Failed);
    EXPECT_EQ(jobs_.get(id).error->code, "timeout");
  }
  go_on.open();
  EXPECT_EQ(finished(last).status, Status::Completed);
  EXPECT_LE(steps, 1) << "no step after the deadline";
  EXPECT_THAT(files(), ElementsAre(last + ".mp4"));
}

}  // namespace
}  // namespace reel::jobs
