#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "asked_job.h"
#include "reel/base/error.h"

// In which order a store hands its jobs out, and which jobs it takes.
namespace reel::store {
namespace {

using namespace std::chrono_literals;
using jobs::Job;
using jobs::Kind;
using jobs::QueueOrder;
using jobs::Status;
using testing::ElementsAre;
using testing::HasSubstr;

std::string full_queue_of(MemoryJobStore& store, const std::string& owner) {
  try {
    submit(store, {.owner = owner});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::QueueFull);
    return error.what();
  }
  return "none";
}

TEST(CostOf, IsForwardPassesTimesTokens) {
  jobs::JobSpec spec = spec_of({.cost = 10});
  EXPECT_EQ(cost_of(spec), 10);
  spec.request.guidance_scale = 5;
  EXPECT_EQ(cost_of(spec), 20);
  spec.request.seeds = {1, 2, 3};
  EXPECT_EQ(cost_of(spec), 60);
  spec.request.num_frames = 17;
  spec.request.height = 32;
  EXPECT_EQ(cost_of(spec), 600);
}

TEST(JobQueue, LetsTheHigherPriorityGoFirst) {
  MemoryJobStore store(10);
  const auto low = submit(store, {.priority = -1}), a = submit(store, {}), b = submit(store, {}),
             high = submit(store, {.priority = 5});
  EXPECT_EQ(store.get(high).queue_position, 0u);
  EXPECT_EQ(store.get(low).queue_position, 3u);
  const std::vector<std::string> taken{take(store), take(store), take(store), take(store)};
  EXPECT_THAT(taken, ElementsAre(high, a, b, low));
}

TEST(JobQueue, LetsAKeyWithOneJobWaitForFewOfAKeyWithAThousand) {
  for (const auto order : {QueueOrder::Fifo, QueueOrder::Shortest}) {
    MemoryJobStore store(2000, 0s, {.order = order});
    for (int i = 0; i < 1000; ++i) submit(store, {.cost = 50, .owner = "many"});
    EXPECT_LE(store.get(submit(store, {.cost = 50, .owner = "early"})).queue_position, 2u);
    for (int i = 0; i < 500; ++i) take(store);
    EXPECT_LE(store.get(submit(store, {.cost = 50, .owner = "one"})).queue_position, 2u);
  }
}

TEST(JobQueue, LetsKeysTakeTurnsByWhatTheirJobsCost) {
  MemoryJobStore store(100);
  std::map<std::string, std::string> owners;
  for (int i = 0; i < 20; ++i) owners[submit(store, {.cost = 30, .owner = "large"})] = "large";
  for (int i = 0; i < 60; ++i) owners[submit(store, {.cost = 10, .owner = "small"})] = "small";
  std::map<std::string, int> taken;
  for (int i = 0; i < 40; ++i) ++taken[owners.at(take(store))];
  EXPECT_EQ(taken["large"], 10);
  EXPECT_EQ(taken["small"], 30);
}

TEST(JobQueue, ChargesNoKeyForWhatItWithdrew) {
  MemoryJobStore store(200);
  std::vector<std::string> withdrawn;
  for (int i = 0; i < 100; ++i) withdrawn.push_back(submit(store, {.owner = "a"}));
  for (const auto& id : withdrawn) store.cancel(id, "test");
  for (int i = 0; i < 10; ++i) submit(store, {.owner = "b"});
  EXPECT_LE(store.get(submit(store, {.owner = "a"})).queue_position, 1u);
}

TEST(JobQueue, LetsShortJobsGoFirstIfToldTo) {
  MemoryJobStore store(10, 0s, {.order = QueueOrder::Shortest});
  const auto longest = submit(store, {.cost = 100}), first = submit(store, {.cost = 5}),
             second = submit(store, {.cost = 5});
  EXPECT_EQ(store.get(longest).queue_position, 2u);
  const std::vector<std::string> taken{take(store), take(store), take(store)};
  EXPECT_THAT(taken, ElementsAre(first, second, longest));
}

TEST(JobQueue, LetsALongJobGoOnUnderEndlessShortOnes) {
  MemoryJobStore store(10, 0s, {.order = QueueOrder::Shortest});
  const auto longest = submit(store, {.cost = 100});
  ASSERT_EQ(take(store), longest);
  advance(store, longest, 50);
  submit(store, {.cost = 10});
  ASSERT_TRUE(store.is_preempted(longest));
  ASSERT_TRUE(store.put_back(longest));
  int overtaken_by = 0;
  for (std::string id; (id = take(store)) != longest; ++overtaken_by) {
    store.complete(id, {});
    submit(store, {.cost = 10});
    ASSERT_LT(overtaken_by, 100);
  }
  EXPECT_GE(overtaken_by, 10);
  EXPECT_LE(overtaken_by * 10, jobs::QueuePolicy::kPatience * 100);
  EXPECT_FALSE(store.is_preempted(longest));
}

TEST(JobQueue, PreemptsForAHigherPriorityOnly) {
  MemoryJobStore store(10);
  const auto running = submit(store, {.cost = 100, .priority = 1});
  take(store);
  submit(store, {.cost = 1, .priority = 1});
  EXPECT_FALSE(store.is_preempted(running)) << "fifo: short jobs wait";
  const auto urgent = submit(store, {.priority = 2});
  EXPECT_TRUE(store.is_preempted(running));
  EXPECT_FALSE(store.is_preempted(urgent)) << "it does not run";
  EXPECT_FALSE(store.is_preempted("video_0"));
  store.cancel(urgent, "test");
  EXPECT_FALSE(store.is_preempted(running));
}

TEST(JobQueue, PreemptsForAJobThatIsShorterThanHalfOfWhatIsLeft) {
  MemoryJobStore store(10, 0s, {.order = QueueOrder::Shortest});
  const auto running = submit(store, {.cost = 100, .owner = "a"});
  take(store);
  submit(store, {.cost = 40, .owner = "b"});
  EXPECT_TRUE(store.is_preempted(running));
  advance(store, running, 30);
  EXPECT_FALSE(store.is_preempted(running)) << "70 are left";
}

TEST(JobQueue, PreemptsTheLastInLineOfTheRunning) {
  MemoryJobStore store(10);
  const auto better = submit(store, {.priority = 1}), worse = submit(store, {});
  take(store);
  take(store);
  submit(store, {.priority = 2});
  EXPECT_TRUE(store.is_preempted(worse));
  EXPECT_FALSE(store.is_preempted(better));
}

TEST(JobQueue, KeepsAJobThatWasPutBackInProgress) {
  MemoryJobStore store(10);
  std::vector<Status> seen;
  const auto watch = store.watch([&](const Job& job) { seen.push_back(job.status); });
  const auto id = submit(store, {.priority = -1});
  const auto token = store.take({})->cancel;
  advance(store, id, 40);
  const auto urgent = submit(store, {});
  ASSERT_TRUE(store.put_back(id));
  const Job job = store.get(id);
  EXPECT_EQ(job.status, Status::InProgress);
  EXPECT_EQ(job.progress.percent, 40);
  EXPECT_FALSE(job.progress.eta_seconds) << "nobody knows";
  EXPECT_EQ(job.queue_position, 1u) << "it waits to go on";
  EXPECT_EQ(store.counts(Kind::Video).in_progress, 1u);
  EXPECT_EQ(store.get(urgent).queue_position, 0u);
  EXPECT_EQ(store.get(submit(store, {.priority = -2})).queue_position, 2u) << "it goes before";
  EXPECT_EQ(take(store), urgent);
  const auto again = store.take({});
  EXPECT_EQ(again->job.id, id);
  store.cancel(id, "test");
  EXPECT_TRUE(token.cancelled() && again->cancel.cancelled());
  EXPECT_FALSE(store.put_back(id));
  EXPECT_EQ(std::count(seen.begin(), seen.end(), Status::Queued), 3);
  EXPECT_EQ(store.state().preemptions, 1u);
}

TEST(JobQueue, EndsAJobThatWasPutBack) {
  MemoryJobStore store(10);
  const auto cancelled = submit(store, {}), removed = submit(store, {}),
             late = submit(store, {.timeout_s = 5});
  for (const auto& id : {cancelled, removed, late}) {
    ASSERT_EQ(take(store), id);
    ASSERT_TRUE(store.put_back(id));
    if (id == cancelled) store.cancel(id, "test");
    if (id == removed) store.remove(id);
  }
  store.fail_overdue(jobs::JobStore::Clock::now() + 6s);
  EXPECT_EQ(store.get(cancelled).status, Status::Cancelled);
  EXPECT_EQ(store.get(late).error->code, "timeout");
  EXPECT_EQ(store.counts(Kind::Video).in_progress, 0u);
  const auto next = submit(store, {});
  EXPECT_EQ(store.get(next).queue_position, 0u);
  EXPECT_EQ(take(store), next);
}

TEST(JobQueue, OnceStoppedOnlyGivesOutWhatWasPutBack) {
  MemoryJobStore store(10);
  std::stop_source stop;
  const auto begun = submit(store, {.priority = -1});
  take(store);
  submit(store, {});
  store.put_back(begun);
  stop.request_stop();
  EXPECT_EQ(store.take(stop.get_token())->job.id, begun);
  EXPECT_FALSE(store.take(stop.get_token()));
}

TEST(JobQueue, FailsJobsAtTheirDeadline) {
  MemoryJobStore store(10);
  const auto now = jobs::JobStore::Clock::now();
  const auto running = submit(store, {.timeout_s = 10}), queued = submit(store, {.timeout_s = 20}),
             free = submit(store, {}), done = submit(store, {.priority = 1, .timeout_s = 1});
  ASSERT_EQ(take(store), done);
  store.complete(done, {});
  const auto taken = store.take({});
  const auto next = store.fail_overdue(now);
  ASSERT_TRUE(next);
  EXPECT_TRUE(*next >= now + 10s && *next < now + 20s);
  EXPECT_FALSE(taken->cancel.cancelled());
  EXPECT_TRUE(store.fail_overdue(*next));
  EXPECT_TRUE(taken->cancel.cancelled());
  EXPECT_EQ(store.get(running).status, Status::Failed);
  EXPECT_EQ(store.get(running).error->code, "timeout");
  EXPECT_THAT(store.get(running).error->message, HasSubstr("10 s"));
  EXPECT_EQ(store.get(queued).status, Status::Queued);
  EXPECT_FALSE(store.fail_overdue(now + 1h));
  EXPECT_EQ(store.get(queued).status, Status::Failed);
  EXPECT_EQ(store.get(done).status, Status::Completed);
  EXPECT_EQ(store.get(free).queue_position, 0u);
}

TEST(JobQueue, LimitsTheJobsOfAKey) {
  MemoryJobStore store(5, 0s, {.max_per_owner = 2});
  const auto running = submit(store, {.owner = "a"});
  take(store);
  submit(store, {.owner = "a"});
  const auto last = submit(store, {.owner = "a"});
  EXPECT_THAT(full_queue_of(store, "a"), HasSubstr("this key: 2"));
  submit(store, {.owner = "b"});
  store.put_back(running);
  EXPECT_THAT(full_queue_of(store, "a"), HasSubstr("2 of its jobs")) << "the begun do not count";
  store.cancel(last, "test");
  submit(store, {.owner = "a"});
  submit(store, {.owner = "c"});
  submit(store, {.owner = "d"});
  EXPECT_THAT(full_queue_of(store, "e"), HasSubstr("full: 5 jobs"));
}

TEST(JobQueue, KnowsWhenThereIsRoomFromWhatTheLastJobsTook) {
  MemoryJobStore store(10, 0s, {.max_per_owner = 3});
  for (int i = 0; i < 3; ++i) submit(store, {.owner = "a"});
  EXPECT_FALSE(store.seconds_to_room("a")) << "nothing was measured yet";
  const auto first = take(store);
  jobs::Result result;
  result.inference_time_s = 40;
  store.complete(first, result);
  const auto running = take(store);
  EXPECT_NEAR(*store.seconds_to_room("a"), 40, 1);
  advance(store, running, 50);  // 3 seconds to go
  EXPECT_NEAR(*store.seconds_to_room("a"), 3, 1e-9);
  for (int i = 0; i < 2; ++i) submit(store, {.owner = "a"});
  for (int i = 0; i < 2; ++i) submit(store, {.owner = "b", .priority = 1});
  EXPECT_NEAR(*store.seconds_to_room("a"), 3 + 2 * 40, 1e-9) << "two go before its first";
  EXPECT_EQ(store.seconds_to_room("c"), 0) << "one of them goes first at the next step";
}

TEST(JobQueue, KnowsWhenThereIsRoomFromWhatTheRunningJobNeeds) {
  MemoryJobStore store(1);
  const auto running = submit(store, {});
  take(store);
  submit(store, {.owner = "a"});
  EXPECT_FALSE(store.seconds_to_room("a")) << "nobody knows";
  advance(store, running, 50);  // 3 seconds to go
  EXPECT_NEAR(*store.seconds_to_room("a"), 3, 1e-9) << "though no job has ended";
  jobs::JobProgress progress;
  progress.eta_seconds = 500;
  store.progress(running, progress);
  EXPECT_NEAR(*store.seconds_to_room("a"), 500, 1e-9);
}

TEST(JobQueue, KnowsWhenAJobThatWaitsWillBeDone) {
  MemoryJobStore store(10);
  const auto first = submit(store, {});
  EXPECT_FALSE(store.get(first).progress.eta_seconds) << "nothing was measured yet";
  take(store);
  jobs::Result result;
  result.inference_time_s = 40;
  store.complete(first, result);
  const auto second = submit(store, {});
  EXPECT_NEAR(*store.get(second).progress.eta_seconds, 40, 1e-9) << "none is at work";
  take(store);
  advance(store, second, 50);  // 3 seconds to go
  const auto third = submit(store, {}), last = submit(store, {});
  EXPECT_NEAR(*store.get(third).progress.eta_seconds, 3 + 40, 1e-9);
  EXPECT_NEAR(*store.get(last).progress.eta_seconds, 3 + 2 * 40, 1e-9);
}

TEST(JobQueue, KnowsThatOtherJobsTakeLonger) {
  MemoryJobStore store(10);
  const auto eta = [&](const std::string& id) { return *store.get(id).progress.eta_seconds; };
  const auto first = submit(store, {.cost = 10});
  take(store);
  jobs::Result result;
  result.inference_time_s = 20;  // 2 seconds a step
  store.complete(first, result);

  const auto running = submit(store, {.cost = 10});
  take(store);
  advance(store, running, 50);  // 3 seconds to go
  const auto longer = submit(store, {.cost = 80}), shorter = submit(store, {.cost = 2});
  EXPECT_NEAR(eta(longer), 3 + 160, 1e-9);
  EXPECT_NEAR(eta(shorter), 3 + 160 + 4, 1e-9);

  const auto urgent = submit(store, {.cost = 5, .priority = 1});
  EXPECT_NEAR(eta(urgent), 10, 1e-9) << "from the next step on";
  ASSERT_TRUE(store.put_back(running));
  take(store);
  EXPECT_EQ(store.get(running).queue_position, 0u);
  EXPECT_NEAR(eta(running), 10 + 10, 0.1) << "half of it, when the urgent one is done";
  EXPECT_NEAR(eta(longer), 10 + 10 + 160, 0.1);
}

TEST(JobQueue, GivesUpThoseThatWait) {
  MemoryJobStore store(10);
  const auto running = submit(store, {}), queued = submit(store, {});
  take(store);
  std::vector<std::string> told;
  const auto watch = store.watch([&](const Job& job) { told.push_back(job.id); });
  store.give_up_queue("test");
  EXPECT_EQ(store.get(running).status, Status::InProgress);
  EXPECT_EQ(store.get(queued).status, Status::Cancelled);
  EXPECT_EQ(store.get(queued).error->message, "test");
  EXPECT_FALSE(store.get(queued).queue_position);
  EXPECT_EQ(told, std::vector{queued});
}

TEST(JobQueue, KnowsItsAge) {
  MemoryJobStore store(10);
  EXPECT_EQ(store.state().oldest_seconds, 0);
  submit(store, {});
  EXPECT_GT(store.state().oldest_seconds, 0);
  take(store);
  EXPECT_EQ(store.state().oldest_seconds, 0);
}

}  // namespace
}  // namespace reel::store
