#include "reel/store/memory_job_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "reel/base/error.h"

namespace reel::store {
namespace {

using namespace std::chrono_literals;
using jobs::Job;
using jobs::Kind;
using jobs::Status;
using testing::ElementsAre;
using testing::IsEmpty;

jobs::JobSpec spec(const std::string& prompt = "a cat", Kind kind = Kind::Video) {
  jobs::JobSpec made;
  made.kind = kind;
  made.request.prompt = prompt;
  made.request.seeds = {1};
  return made;
}

ErrorCode code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::Internal;
}

std::string submit(MemoryJobStore& store, const std::string& prompt = "a cat",
                   Kind kind = Kind::Video) {
  return store.submit(spec(prompt, kind)).job.id;
}

TEST(MemoryJobStore, KeepsWhatWasSubmitted) {
  MemoryJobStore store(10);
  const Job job = store.submit(spec()).job;
  EXPECT_TRUE(job.id.starts_with("video_"));
  EXPECT_EQ(job.id.size(), 6u + 32u);
  EXPECT_EQ(job.status, Status::Queued);
  EXPECT_GT(job.created_at, 1'700'000'000);
  EXPECT_EQ(store.get(job.id).spec->request.prompt, "a cat");
  EXPECT_TRUE(submit(store, "x", Kind::Image).starts_with("image_"));
  EXPECT_FALSE(store.find("video_0"));
  EXPECT_EQ(code_of([&] { store.get("video_0"); }), ErrorCode::NotFound);
}

TEST(MemoryJobStore, CopiesNoPromptIntoASnapshot) {
  MemoryJobStore store(10);
  const std::string id = submit(store);
  EXPECT_EQ(store.get(id).spec.get(), store.get(id).spec.get());
}

TEST(MemoryJobStore, ServesInTheOrderOfSubmissionAndKnowsThePlaces) {
  MemoryJobStore store(10);
  const auto a = submit(store), b = submit(store), c = submit(store);
  EXPECT_EQ(store.get(a).queue_position, 0u);
  EXPECT_EQ(store.get(c).queue_position, 2u);
  const auto taken = store.take({});
  EXPECT_EQ(taken->job.id, a);
  EXPECT_EQ(store.get(a).status, Status::InProgress);
  EXPECT_TRUE(store.get(a).started_at);
  EXPECT_EQ(store.get(a).queue_position, std::nullopt);
  store.cancel(b, "test");
  EXPECT_EQ(store.get(c).queue_position, 0u);
  EXPECT_EQ(store.take({})->job.id, c);
}

TEST(MemoryJobStore, RefusesWhenTheQueueIsFull) {
  MemoryJobStore store(2);
  submit(store);
  submit(store);
  EXPECT_EQ(code_of([&] { submit(store); }), ErrorCode::QueueFull);
  store.take({});
  submit(store);
}

TEST(MemoryJobStore, EndsAJobOnce) {
  MemoryJobStore store(10);
  const auto id = submit(store);
  EXPECT_FALSE(store.complete(id, {})) << "it never began";
  store.take({});
  EXPECT_TRUE(store.complete(id, {{{"file.mp4", 7}}, 1.5, 2.5, {}}));
  EXPECT_FALSE(store.complete(id, {}));
  EXPECT_FALSE(store.fail(id, {"generation_failed", "late"}));
  EXPECT_EQ(store.cancel(id, "late").status, Status::Completed) << "unchanged";
  const Job job = store.get(id);
  EXPECT_EQ(job.result->outputs.front().blob, "file.mp4");
  EXPECT_EQ(job.progress.percent, 100);
  EXPECT_TRUE(job.completed_at);
  EXPECT_FALSE(job.error);
}

TEST(MemoryJobStore, FailsAJob) {
  MemoryJobStore store(10);
  const auto id = submit(store);
  store.take({});
  EXPECT_TRUE(store.fail(id, {"out_of_memory", "no room"}));
  EXPECT_EQ(store.get(id).status, Status::Failed);
  EXPECT_EQ(store.get(id).error->code, "out_of_memory");
}

TEST(MemoryJobStore, TellsTheWorkerOfACancel) {
  MemoryJobStore store(10);
  const auto id = submit(store);
  const auto taken = store.take({});
  EXPECT_FALSE(taken->cancel.cancelled());
  const Job job = store.cancel(id, "by the client");
  EXPECT_EQ(job.status, Status::Cancelled);
  EXPECT_EQ(job.error->code, "cancelled");
  EXPECT_EQ(job.error->message, "by the client");
  EXPECT_TRUE(taken->cancel.cancelled());
  store.progress(id, {gen::Stage::Denoising, 0, 3, 4, 50, {}});
  EXPECT_EQ(store.get(id).progress.percent, 0) << "the late news of a cancelled job";
  EXPECT_FALSE(store.complete(id, {}));
}

TEST(MemoryJobStore, ForgetsARemovedJob) {
  MemoryJobStore store(10);
  const auto queued = submit(store), running = submit(store);
  EXPECT_EQ(store.remove(queued).status, Status::Cancelled);
  EXPECT_EQ(code_of([&] { store.remove(queued); }), ErrorCode::NotFound);
  const auto taken = store.take({});
  EXPECT_EQ(taken->job.id, running);
  store.remove(running);
  EXPECT_TRUE(taken->cancel.cancelled());
  EXPECT_FALSE(store.complete(running, {}));
  EXPECT_EQ(store.counts(Kind::Video).queued, 0u);
  EXPECT_EQ(store.counts(Kind::Video).in_progress, 0u);
  EXPECT_THAT(store.list({}).jobs, IsEmpty());
}

TEST(MemoryJobStore, CountsByKind) {
  MemoryJobStore store(10);
  submit(store);
  submit(store);
  const auto image = submit(store, "x", Kind::Image);
  store.take({});
  EXPECT_EQ(store.counts(Kind::Video).queued, 1u);
  EXPECT_EQ(store.counts(Kind::Video).in_progress, 1u);
  EXPECT_EQ(store.counts(Kind::Image).queued, 1u);
  store.remove(image);
  EXPECT_EQ(store.counts(Kind::Image).queued, 0u);
}

std::vector<std::string> ids(const std::vector<Job>& jobs) {
  std::vector<std::string> all;
  for (const Job& job : jobs) all.push_back(job.id);
  return all;
}

std::vector<std::string> ids(const jobs::Page& page) { return ids(page.jobs); }

TEST(MemoryJobStore, ListsPageByPage) {
  MemoryJobStore store(10);
  const auto a = submit(store), b = submit(store), c = submit(store);
  const auto image = submit(store, "x", Kind::Image);
  EXPECT_THAT(ids(store.list({})), ElementsAre(c, b, a));
  EXPECT_THAT(ids(store.list({Kind::Video, "", 10, false})), ElementsAre(a, b, c));
  EXPECT_THAT(ids(store.list({Kind::Image, "", 10, false})), ElementsAre(image));

  const jobs::Page first = store.list({Kind::Video, "", 2, true});
  EXPECT_THAT(ids(first), ElementsAre(c, b));
  EXPECT_TRUE(first.has_more);
  submit(store);  // newer than the cursor: not in the pages to come
  const jobs::Page second = store.list({Kind::Video, b, 2, true});
  EXPECT_THAT(ids(second), ElementsAre(a));
  EXPECT_FALSE(second.has_more);
  EXPECT_THAT(ids(store.list({Kind::Video, a, 1, false})), ElementsAre(b));
  EXPECT_TRUE(store.list({Kind::Video, a, 2, false}).has_more);
  EXPECT_THAT(ids(store.list({Kind::Video, "video_0", 2, true})), IsEmpty());
  EXPECT_THAT(ids(store.list({Kind::Video, image, 2, true})), IsEmpty());
}

TEST(MemoryJobStore, ListsOnAfterAJobThatIsGone) {
  MemoryJobStore store(10, 1s);
  const auto a = submit(store), b = submit(store), c = submit(store), d = submit(store);
  const auto image = submit(store, "x", Kind::Image);
  store.remove(b);
  store.remove(image);
  store.cancel(c, "no more");
  ASSERT_THAT(ids(store.expire(INT64_MAX)), ElementsAre(c));
  for (const auto& gone : {b, c}) {
    EXPECT_THAT(ids(store.list({Kind::Video, gone, 10, true})), ElementsAre(a));
    EXPECT_THAT(ids(store.list({Kind::Video, gone, 10, false})), ElementsAre(d));
  }
  EXPECT_THAT(ids(store.list({Kind::Video, image, 10, true})), IsEmpty());
}

TEST(MemoryJobStore, KeepsAFinishedJobUntilItExpires) {
  MemoryJobStore store(10, 60s);
  const auto done = store.submit(spec(), jobs::Idempotency{"key", "same"}).job.id;
  const auto running = submit(store);
  const auto cancelled = submit(store), removed = submit(store), waiting = submit(store);
  store.take({});
  store.take({});
  store.complete(done, {});
  store.cancel(cancelled, "no more");
  store.cancel(removed, "no more");
  store.remove(removed);
  const int64_t end = store.get(done).completed_at.value() + 60;
  EXPECT_EQ(store.get(done).expires_at, end);
  EXPECT_FALSE(store.get(running).expires_at);
  EXPECT_FALSE(store.get(waiting).expires_at);

  EXPECT_THAT(store.expire(end), IsEmpty()) << "it ended within a second: none is kept too short";
  EXPECT_TRUE(store.find(done));
  const auto gone = store.expire(end + 5);  // the cancel may have come seconds later
  EXPECT_THAT(ids(gone), ElementsAre(done, cancelled));
  EXPECT_FALSE(store.find(done));
  EXPECT_EQ(code_of([&] { store.get(done); }), ErrorCode::Gone);
  EXPECT_EQ(code_of([&] { store.cancel(done, "late"); }), ErrorCode::Gone);
  EXPECT_EQ(code_of([&] { store.remove(done); }), ErrorCode::Gone);
  EXPECT_EQ(code_of([&] { store.wait(done, 1ms); }), ErrorCode::Gone);
  EXPECT_EQ(code_of([&] { store.get(removed); }), ErrorCode::NotFound);
  EXPECT_THAT(ids(store.list({})), ElementsAre(waiting, running));
  EXPECT_THAT(store.expire(end + 1'000'000), IsEmpty());
  EXPECT_FALSE(store.submit(spec(), jobs::Idempotency{"key", "same"}).replayed);
}

TEST(MemoryJobStore, KeepsAFinishedJobForEverWithoutATtl) {
  MemoryJobStore store(10);
  const auto id = submit(store);
  EXPECT_FALSE(store.cancel(id, "no more").expires_at);
  EXPECT_THAT(store.expire(INT64_MAX), IsEmpty());
  EXPECT_TRUE(store.find(id));
}

TEST(MemoryJobStore, RemembersTheLastTenThousandExpired) {
  MemoryJobStore store(20'000, 1s);
  std::vector<std::string> all;
  for (int i = 0; i < 10'001; ++i) {
    all.push_back(submit(store));
    store.cancel(all.back(), "no more");
    store.expire(INT64_MAX);
  }
  EXPECT_EQ(code_of([&] { store.get(all.front()); }), ErrorCode::NotFound);
  EXPECT_EQ(code_of([&] { store.get(all[1]); }), ErrorCode::Gone);
  EXPECT_EQ(code_of([&] { store.get(all.back()); }), ErrorCode::Gone);
}

TEST(MemoryJobStore, TellsAnOwnerOfItsOwnJobsOnly) {
  MemoryJobStore store(10, 1s);
  std::vector<std::string> ids;
  for (const char* owner : {"alice", "bob", "alice", ""}) {
    jobs::JobSpec one = spec();
    one.owner = owner;
    ids.push_back(store.submit(one).job.id);
  }
  const auto of = [&](const std::optional<std::string>& owner, const std::string& after = "") {
    std::vector<std::string> listed;
    for (const Job& job : store.list({Kind::Video, after, 10, false, owner}).jobs) {
      listed.push_back(job.id);
    }
    return listed;
  };
  EXPECT_EQ(of({}), ids);
  EXPECT_THAT(of("alice"), ElementsAre(ids[0], ids[2]));
  EXPECT_THAT(of("alice", ids[0]), ElementsAre(ids[2]));
  EXPECT_THAT(of("alice", ids[1]), IsEmpty()) << "another's id is none";
  EXPECT_THAT(of(""), ElementsAre(ids[3]));
  EXPECT_THAT(of("carol"), IsEmpty());
  EXPECT_EQ(store.get(ids[1], "bob").id, ids[1]);
  EXPECT_EQ(code_of([&] { store.get(ids[1], "alice"); }), ErrorCode::NotFound);
  store.cancel(ids[1], "test");
  store.expire(*store.get(ids[1]).expires_at + 1);
  EXPECT_EQ(code_of([&] { store.get(ids[1], "bob"); }), ErrorCode::Gone);
  EXPECT_EQ(code_of([&] { store.get(ids[1], "alice"); }), ErrorCode::NotFound);
  EXPECT_THAT(of("bob"), IsEmpty());
}

TEST(MemoryJobStore, GivesAReplayedSubmitItsFirstJob) {
  MemoryJobStore store(2);
  const auto first = store.submit(spec("a"), jobs::Idempotency{"key", "body-a"});
  EXPECT_FALSE(first.replayed);
  const auto again = store.submit(spec("a"), jobs::Idempotency{"key", "body-a"});
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.job.id, first.job.id);
  EXPECT_EQ(store.counts(Kind::Video).queued, 1u);
  EXPECT_EQ(code_of([&] {
              store.submit(spec("b"), jobs::Idempotency{"key", "body-b"});
            }),
            ErrorCode::Conflict);
  store.remove(first.job.id);
  EXPECT_FALSE(store.submit(spec("b"), jobs::Idempotency{"key", "body-b"}).replayed);
}

TEST(MemoryJobStore, TakesAsSoonAsThereIsWorkAndStopsWhenAsked) {
  MemoryJobStore store(10);
  std::stop_source stop;
  std::optional<jobs::Taken> taken, stopped;
  std::jthread worker([&] {
    taken = store.take(stop.get_token());
    stopped = store.take(stop.get_token());
  });
  const auto id = submit(store);
  while (store.counts(Kind::Video).in_progress == 0) std::this_thread::yield();
  stop.request_stop();
  worker.join();
  EXPECT_EQ(taken->job.id, id);
  EXPECT_FALSE(stopped);
  submit(store);
  EXPECT_FALSE(store.take(stop.get_token())) << "the queue keeps what is not taken";
  EXPECT_EQ(store.counts(Kind::Video).queued, 1u);
}

TEST(MemoryJobStore, WaitsForTheEnd) {
  MemoryJobStore store(10);
  const auto id = submit(store), gone = submit(store);
  EXPECT_EQ(store.wait(id, 1ms).status, Status::Queued) << "in vain";
  store.take({});
  std::jthread worker([&] {
    store.complete(id, {});
    store.remove(gone);
  });
  EXPECT_EQ(store.wait(id, 1min).status, Status::Completed);
  EXPECT_EQ(code_of([&] { store.wait(gone, 1min); }), ErrorCode::NotFound);
}

TEST(MemoryJobStore, TellsOfEveryChangeInOrder) {
  MemoryJobStore store(10);
  std::vector<std::pair<Status, int>> seen;
  auto watch = store.watch([&](const Job& job) {
    EXPECT_EQ(store.get(job.id).id, job.id) << "a listener may read";
    seen.emplace_back(job.status, job.progress.percent);
  });
  const auto id = submit(store);
  store.take({});
  store.progress(id, {gen::Stage::Denoising, 0, 1, 2, 40, {}});
  store.complete(id, {});
  store.cancel(id, "too late");
  EXPECT_THAT(seen,
              ElementsAre(std::pair{Status::Queued, 0}, std::pair{Status::InProgress, 0},
                          std::pair{Status::InProgress, 40}, std::pair{Status::Completed, 100}));
  watch.reset();
  submit(store);
  EXPECT_EQ(seen.size(), 4u);
}

TEST(MemoryJobStore, KeepsItsRulesUnderManyThreads) {
  constexpr int kJobs = 400;
  MemoryJobStore store(kJobs);
  std::mutex mutex;
  std::map<std::string, std::vector<Status>> history;
  const auto watch = store.watch([&](const Job& job) {
    const std::lock_guard lock(mutex);
    history[job.id].push_back(job.status);
  });
  std::atomic<int> begun = 0, completed = 0;
  std::stop_source stop;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        while (const auto taken = store.take(stop.get_token())) {
          ++begun;
          store.progress(taken->job.id, {gen::Stage::Denoising, 0, 1, 2, 40, {}});
          if (store.complete(taken->job.id, {})) ++completed;
        }
      });
      threads.emplace_back([&] {
        while (!stop.stop_requested()) {
          for (const Job& job : store.list({Kind::Video, "", 100, false}).jobs) {
            EXPECT_TRUE(store.get(job.id).spec);
          }
        }
      });
      threads.emplace_back([&] {
        for (int n = 0; n < kJobs / 2; ++n) {
          const auto id = submit(store);
          if (n % 3 == 0) store.cancel(id, "test");
        }
      });
    }
    for (;;) {
      const auto page = store.list({Kind::Video, "", kJobs + 1, true});
      if (page.jobs.size() == kJobs &&
          std::all_of(page.jobs.begin(), page.jobs.end(),
                      [](const Job& job) { return jobs::is_final(job.status); })) {
        break;
      }
      std::this_thread::sleep_for(1ms);
    }
    stop.request_stop();
  }
  int ended_completed = 0;
  ASSERT_EQ(history.size(), static_cast<size_t>(kJobs));
  for (const auto& [id, moves] : history) {
    EXPECT_EQ(moves.front(), Status::Queued);
    for (size_t i = 1; i < moves.size(); ++i) {
      EXPECT_TRUE(moves[i] == moves[i - 1] || jobs::may_become(moves[i - 1], moves[i])) << id;
    }
    EXPECT_EQ(std::count_if(moves.begin(), moves.end(), jobs::is_final), 1) << id;
    ended_completed += moves.back() == Status::Completed;
  }
  EXPECT_EQ(ended_completed, completed);
  EXPECT_GE(begun, completed);
  EXPECT_EQ(store.counts(Kind::Video).queued, 0u);
  EXPECT_EQ(store.counts(Kind::Video).in_progress, 0u);
}

}  // namespace
}  // namespace reel::store
