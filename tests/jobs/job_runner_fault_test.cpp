#include <gmock/gmock.h>

#include <atomic>
#include <new>

#include "reel/base/error.h"
#include "runner_test.h"

// What a job that goes wrong leaves: an error with the right code, no file, and a queue that goes
// on.

namespace reel::jobs {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RunnerFault : public RunnerTest {
 protected:
  /// The job "victim" fails as told, and the next one is made all the same.
  void expect_failure(const std::string& id, const std::string& code, const std::string& message) {
    const auto next = submit("next");
    const Job job = finished(id);
    EXPECT_EQ(job.status, Status::Failed);
    ASSERT_TRUE(job.error);
    EXPECT_EQ(job.error->code, code);
    EXPECT_THAT(job.error->message, HasSubstr(message));
    EXPECT_EQ(finished(next).status, Status::Completed);
    EXPECT_THAT(files(), ElementsAre(next + ".mp4"));
  }

  /// The generator throws `fault` at step 2 of the victim.
  template <class Fault>
  void break_generator(const Fault& fault) {
    generator_.hook = [fault](const gen::ResolvedRequest& request, int step) {
      if (request.prompt == "victim" && step == 2) throw fault;
    };
  }
};

TEST_F(RunnerFault, OfTheGenerator) {
  break_generator(Error(ErrorCode::Internal, "rank 1: a NaN"));
  const auto runner = run();
  expect_failure(submit("victim"), "generation_failed", "rank 1: a NaN");
  EXPECT_THAT(metrics_.text(), HasSubstr("status=\"failed\"} 1\n"));
}

TEST_F(RunnerFault, OfTheDevicesMemory) {
  break_generator(Error(ErrorCode::OutOfMemory, "cuda:0: 90 GiB asked"));
  const auto runner = run();
  expect_failure(submit("victim"), "out_of_memory", "90 GiB");
}

TEST_F(RunnerFault, OfAnotherLibrary) {
  break_generator(std::bad_alloc());
  const auto runner = run();
  expect_failure(submit("victim"), "generation_failed", "bad_alloc");
}

TEST_F(RunnerFault, InTheSecondOutputTakesTheFirstAlong) {
  std::atomic<int> outputs = 0;
  generator_.hook = [&](const gen::ResolvedRequest& request, int step) {
    if (request.prompt == "victim" && step == 0 && ++outputs == 2) {
      throw Error(ErrorCode::Internal, "the second broke");
    }
  };
  const auto runner = run();
  expect_failure(submit("victim", 2), "generation_failed", "the second broke");
}

struct ShortGenerator final : gen::Generator {
  const gen::Description& describe() const override { return fake.describe(); }
  gen::State state() const override { return fake.state(); }
  gen::ResolvedRequest check(const gen::VideoRequest& request) const override {
    return fake.check(request);
  }
  int slots() const override { return 1; }
  gen::Outcome generate(const gen::ResolvedRequest& request, int, const gen::Snapshot*,
                        gen::FrameSink& sink, gen::Control&) override {
    sink.begin({request.width, request.height, request.fps, 5});
    sink.write({3, 1, 1, std::vector<uint8_t>(9)});
    return {};
  }

  gen::FakeGenerator fake;
};

TEST_F(RunnerFault, OfAGeneratorThatKeepsFramesBack) {
  ShortGenerator generator;
  const auto id = submit();
  const JobRunner runner(jobs_, blobs_, generator, raw_writers(), metrics_);
  EXPECT_THAT(finished(id).error->message, HasSubstr("kept 2 frames back"));
  EXPECT_THAT(files(), IsEmpty());
}

/// A writer that fails at a place of the victim's life.
enum class Where { Make, Write, Finish };

class FailingWriter final : public OutputWriter {
 public:
  explicit FailingWriter(Where where) : where_(where) {
    if (where_ == Where::Make) fail();
  }
  void begin(const gen::VideoFormat&) override {}
  void write(gen::Frames) override {
    if (where_ == Where::Write) fail();
  }
  Pictures finish() override { fail(); }

 private:
  [[noreturn]] static void fail() {
    throw Error(ErrorCode::StorageFull, "a.mp4.part: cannot write: No space left on device");
  }
  Where where_;
};

class FullDisk : public RunnerFault, public testing::WithParamInterface<Where> {};

TEST_P(FullDisk, FailsTheJobAndNothingElse) {
  const auto runner =
      run([](BlobPart& part, const JobSpec& spec, int) -> std::unique_ptr<OutputWriter> {
        if (spec.request.prompt == "victim") return std::make_unique<FailingWriter>(GetParam());
        return std::make_unique<RawWriter>(part);
      });
  expect_failure(submit("victim"), "storage_full", "No space left");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, FullDisk,
                         testing::Values(Where::Make, Where::Write, Where::Finish));

TEST_F(RunnerFault, OfTheDiskStopsTheGeneratorToo) {
  Gate failed;
  std::atomic<int> begun = 0;
  const auto id = submit("victim", 10);
  generator_.hook = [&](const gen::ResolvedRequest&, int step) {
    if (step == 0 && ++begun > 1) failed.pass();
  };
  const auto runner = run([&](BlobPart&, const JobSpec&, int) -> std::unique_ptr<OutputWriter> {
    failed.open();
    throw Error(ErrorCode::StorageFull, "full");
  });
  EXPECT_EQ(finished(id).error->code, "storage_full");
  EXPECT_LT(begun, 10) << "outputs begun, of ten";
}

/// A store whose disk is full now and then.
class MoodyStore final : public JobStore {
 public:
  explicit MoodyStore(JobStore& inner) : inner_(inner) {}

  Submitted submit(JobSpec spec, const std::optional<Idempotency>& key) override {
    return inner_.submit(std::move(spec), key);
  }
  std::optional<Submitted> replayed(const Idempotency& key) const override {
    return inner_.replayed(key);
  }
  std::optional<Taken> take(std::stop_token stop) override {
    if (take_faults-- > 0) refuse();
    return inner_.take(stop);
  }
  void progress(const std::string& id, const JobProgress& progress) override {
    inner_.progress(id, progress);
  }
  bool complete(const std::string& id, Result result) override {
    before_complete(id);
    if (complete_faults-- > 0) refuse();
    return inner_.complete(id, std::move(result));
  }
  bool fail(const std::string& id, JobError error) override {
    if (fail_faults-- > 0) refuse();
    return inner_.fail(id, std::move(error));
  }
  void give_up_queue(const std::string& why) override { inner_.give_up_queue(why); }
  Job cancel(const std::string& id, const std::string& why) override {
    return inner_.cancel(id, why);
  }
  Job remove(const std::string& id) override { return inner_.remove(id); }
  std::vector<Job> expire(int64_t now) override { return inner_.expire(now); }
  std::vector<Job> shrink(uint64_t bytes) override { return inner_.shrink(bytes); }
  std::optional<Job> find(const std::string& id) const override { return inner_.find(id); }
  Job get(const std::string& id, const std::optional<std::string>& owner) const override {
    return inner_.get(id, owner);
  }
  Page list(const ListQuery& query) const override { return inner_.list(query); }
  Counts counts(Kind kind) const override { return inner_.counts(kind); }
  bool is_preempted(const std::string& id) const override { return inner_.is_preempted(id); }
  bool put_back(const std::string& id) override {
    if (put_back_faults-- > 0) refuse();
    return inner_.put_back(id);
  }
  std::optional<Clock::time_point> fail_overdue(Clock::time_point now) override {
    return inner_.fail_overdue(now);
  }
  StoreState state() const override { return inner_.state(); }
  std::optional<double> seconds_to_room(const std::string& owner) const override {
    return inner_.seconds_to_room(owner);
  }
  Job wait(const std::string& id, std::chrono::milliseconds timeout) const override {
    return inner_.wait(id, timeout);
  }
  std::unique_ptr<Watch> watch(Listener listener) override {
    return inner_.watch(std::move(listener));
  }

  std::function<void(const std::string& id)> before_complete = [](const std::string&) {};
  std::atomic<int> take_faults = 0, complete_faults = 0, fail_faults = 0, put_back_faults = 0;

 private:
  [[noreturn]] static void refuse() { throw Error(ErrorCode::StorageFull, "jobs.db: full"); }
  JobStore& inner_;
};

TEST_F(RunnerFault, OfACancelInTheLastInstantLeavesNoFile) {
  MoodyStore moody(jobs_);
  moody.before_complete = [&](const std::string& id) { jobs_.cancel(id, "test"); };
  const auto id = submit();
  JobRunner runner(moody, blobs_, generator_, raw_writers(), metrics_);
  EXPECT_EQ(finished(id).status, Status::Cancelled);
  EXPECT_TRUE(runner.drain(1min));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(RunnerFault, OfTheStoreIsLivedThrough) {
  MoodyStore moody(jobs_);
  moody.take_faults = 1;
  moody.complete_faults = 1;
  const auto id = submit("victim"), next = submit("next");
  const JobRunner runner(moody, blobs_, generator_, raw_writers(), metrics_);
  EXPECT_EQ(finished(id).error->code, "storage_full");
  EXPECT_EQ(finished(next).status, Status::Completed);
  EXPECT_THAT(files(), ElementsAre(next + ".mp4"));
}

TEST_F(RunnerFault, OfTheStoreEvenWhenItCannotBeTold) {
  MoodyStore moody(jobs_);
  moody.complete_faults = 1;
  moody.fail_faults = 1;
  const auto id = submit("victim"), next = submit("next");
  const JobRunner runner(moody, blobs_, generator_, raw_writers(), metrics_);
  EXPECT_EQ(finished(next).status, Status::Completed);
  EXPECT_EQ(jobs_.get(id).status, Status::InProgress);
  EXPECT_THAT(files(), ElementsAre(next + ".mp4"));
}

TEST_F(RunnerFault, OfTheStoreFailsAJobThatCannotWait) {
  MoodyStore moody(jobs_);
  moody.put_back_faults = 1;
  Gate begun, go_on;
  generator_.hook = [&](const gen::ResolvedRequest&, int) {
    begun.open();
    go_on.pass();
  };
  const auto id = submit();
  JobRunner runner(moody, blobs_, generator_, raw_writers(), metrics_);
  begun.pass();
  JobSpec urgent = *jobs_.get(id).spec;
  urgent.priority = 1;
  const auto next = jobs_.submit(std::move(urgent)).job.id;
  go_on.open();
  EXPECT_EQ(finished(next).status, Status::Completed);
  EXPECT_EQ(finished(id).error->code, "storage_full");
  EXPECT_TRUE(runner.drain(std::chrono::minutes(1)));
}

}  // namespace
}  // namespace reel::jobs
