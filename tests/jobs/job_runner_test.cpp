#include "reel/jobs/job_runner.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "runner_test.h"

namespace reel::jobs {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kFrameBytes = 64 * 48 * 3;

TEST_F(RunnerTest, MakesAVideo) {
  const auto id = submit();
  const auto runner = run();
  const Job job = finished(id);
  ASSERT_EQ(job.status, Status::Completed) << job.error->message;
  ASSERT_EQ(job.result->outputs.size(), 1u);
  EXPECT_EQ(job.result->outputs[0].blob, id + ".mp4");
  EXPECT_EQ(job.result->outputs[0].bytes, 17 * kFrameBytes);
  EXPECT_EQ(blobs_.find(id + ".mp4")->bytes, 17 * kFrameBytes);
  EXPECT_GE(job.result->inference_time_s, job.result->stages.denoise);
  EXPECT_GT(job.result->stages.vae_decode, 0);
  EXPECT_THAT(files(), ElementsAre(id + ".mp4"));
}

TEST_F(RunnerTest, MakesAFileForEachOutput) {
  const auto id = submit("a square", 3);
  const auto image = submit("a square", 2, Kind::Image);
  const auto runner = run();
  const Job job = finished(id);
  ASSERT_EQ(job.result->outputs.size(), 3u);
  EXPECT_EQ(job.result->outputs[2].blob, id + "_2.mp4");
  const Job still = finished(image);
  ASSERT_EQ(still.result->outputs.size(), 2u);
  EXPECT_EQ(still.result->outputs[0].blob, image + "_0.jpg");
  EXPECT_EQ(still.result->outputs[0].bytes, kFrameBytes);
  EXPECT_EQ(files().size(), 5u);
}

TEST_F(RunnerTest, GoesInOrder) {
  std::vector<std::string> begun;
  generator_.hook = [&](const gen::ResolvedRequest& request, int step) {
    if (step == 0) begun.push_back(request.prompt);
  };
  submit("first");
  submit("second");
  const auto last = submit("third");
  const auto runner = run();
  finished(last);
  EXPECT_THAT(begun, ElementsAre("first", "second", "third"));
}

TEST_F(RunnerTest, TellsRealProgress) {
  std::vector<JobProgress> seen;
  const auto watch = jobs_.watch([&](const Job& job) {
    if (job.status == Status::InProgress) seen.push_back(job.progress);
  });
  const auto id = submit("a square", 2);
  const auto runner = run();
  finished(id);
  std::vector<int> steps_of_first;
  int last = 0;
  for (const JobProgress& progress : seen) {
    EXPECT_GE(progress.percent, last);
    EXPECT_LT(progress.percent, 100);
    last = progress.percent;
    if (progress.output == 0 && progress.stage == gen::Stage::Denoising) {
      EXPECT_EQ(progress.steps, 4);
      steps_of_first.push_back(progress.step);
    }
  }
  EXPECT_THAT(steps_of_first, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(last, 99);
  EXPECT_EQ(seen.back().output, 1);
  ASSERT_TRUE(seen.back().eta_seconds);
  EXPECT_GE(*seen.back().eta_seconds, 0);
}

TEST_F(RunnerTest, CancelsAQueuedJob) {
  Gate gate;
  std::atomic<int> begun = 0;
  generator_.hook = [&](const gen::ResolvedRequest&, int step) {
    if (step == 0) ++begun;
    gate.pass();
  };
  const auto running = submit(), queued = submit(), last = submit();
  const auto runner = run();
  EXPECT_EQ(jobs_.cancel(queued, "test").status, Status::Cancelled);
  gate.open();
  EXPECT_EQ(finished(last).status, Status::Completed);
  EXPECT_EQ(finished(running).status, Status::Completed);
  EXPECT_EQ(jobs_.get(queued).status, Status::Cancelled);
  EXPECT_EQ(begun, 2);
}

TEST_F(RunnerTest, CancelsARunningJobWithinAStep) {
  std::atomic<int> steps = 0;
  Gate at_step_2, go_on;
  generator_.hook = [&](const gen::ResolvedRequest& request, int step) {
    if (request.prompt != "victim") return;
    ++steps;
    if (step == 2) {
      at_step_2.open();
      go_on.pass();
    }
  };
  const auto id = submit("victim"), next = submit();
  const auto runner = run();
  at_step_2.pass();
  jobs_.cancel(id, "test");
  go_on.open();
  EXPECT_EQ(finished(next).status, Status::Completed) << "the queue goes on";
  EXPECT_EQ(steps, 3) << "no step after the question that came next";
  EXPECT_EQ(jobs_.get(id).status, Status::Cancelled);
  EXPECT_THAT(files(), ElementsAre(next + ".mp4"));
}

TEST_F(RunnerTest, LeavesNoFileOfAJobThatIsCancelledWhileItIsWritten) {
  Gate in_finish, go_on;
  const auto id = submit("a square", 2);
  const auto runner = run([&](BlobPart& part, const JobSpec&, int output) {
    auto writer = std::make_unique<RawWriter>(part);
    if (output == 1) {
      writer->on_finish = [&] {
        in_finish.open();
        go_on.pass();
      };
    }
    return writer;
  });
  in_finish.pass();
  EXPECT_EQ(jobs_.remove(id).status, Status::Cancelled);
  EXPECT_THAT(files(), testing::Contains(id + "_0.mp4")) << "the first output is there already";
  go_on.open();
  EXPECT_TRUE(runner->drain(1min));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(RunnerTest, DenoisesTheNextJobWhileTheLastFileIsWritten) {
  Gate second_begun;
  generator_.hook = [&](const gen::ResolvedRequest& request, int) {
    if (request.prompt == "second") second_begun.open();
  };
  const auto first = submit("first"), second = submit("second");
  // The first file is not finished before the second job runs: a runner that waited would hang.
  const auto runner = run([&](BlobPart& part, const JobSpec& spec, int) {
    auto writer = std::make_unique<RawWriter>(part);
    if (spec.request.prompt == "first") writer->on_finish = [&] { second_begun.pass(); };
    return writer;
  });
  EXPECT_EQ(finished(first).status, Status::Completed);
  EXPECT_EQ(finished(second).status, Status::Completed);
}

TEST_F(RunnerTest, UsesEverySlot) {
  generator_ = HookedGenerator([] {
    gen::FakeOptions options;
    options.slots = 2;
    return options;
  }());
  std::atomic<int> inside = 0;
  Gate both;
  generator_.hook = [&](const gen::ResolvedRequest&, int step) {
    if (step == 0 && ++inside == 2) both.open();
    both.pass();  // hangs unless two run side by side
  };
  const auto a = submit(), b = submit();
  const auto runner = run();
  EXPECT_EQ(finished(a).status, Status::Completed);
  EXPECT_EQ(finished(b).status, Status::Completed);
}

TEST_F(RunnerTest, WaitsForTheModel) {
  gen::FakeOptions options;
  options.load_ms = 100;
  generator_ = HookedGenerator(options);
  const auto id = submit();
  const auto runner = run();
  EXPECT_EQ(jobs_.get(id).status, Status::Queued);
  EXPECT_EQ(finished(id).status, Status::Completed);
  EXPECT_EQ(generator_.state().phase, gen::State::Phase::Ready);
}

TEST_F(RunnerTest, DrainsByFinishingWhatRuns) {
  Gate begun, go_on;
  generator_.hook = [&](const gen::ResolvedRequest&, int) {
    begun.open();
    go_on.pass();
  };
  const auto running = submit(), queued = submit();
  const auto runner = run();
  begun.pass();
  std::jthread opener([&] {
    std::this_thread::sleep_for(20ms);
    go_on.open();
  });
  EXPECT_TRUE(runner->drain(1min));
  EXPECT_EQ(jobs_.get(running).status, Status::Completed);
  EXPECT_EQ(jobs_.get(queued).status, Status::Cancelled) << "it will never run";
}

TEST_F(RunnerTest, DrainsByCancellingWhatTakesTooLong) {
  Gate begun, go_on;
  generator_.hook = [&](const gen::ResolvedRequest&, int) {
    begun.open();
    go_on.pass();
  };
  const auto running = submit(), queued = submit();
  const auto watch = jobs_.watch([&](const Job& job) {
    if (job.started_at && job.status == Status::Cancelled) go_on.open();  // some time after
  });
  const auto runner = run();
  begun.pass();
  EXPECT_FALSE(runner->drain(5ms));
  EXPECT_EQ(jobs_.get(running).status, Status::Cancelled);
  EXPECT_THAT(jobs_.get(running).error->message, HasSubstr("shutting down"));
  EXPECT_EQ(jobs_.get(queued).status, Status::Cancelled);
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(RunnerTest, CountsWhatItDoes) {
  Gate gate;
  generator_.hook = [&](const gen::ResolvedRequest&, int) { gate.pass(); };
  const auto id = submit(), cancelled = submit();
  const auto runner = run();
  jobs_.cancel(cancelled, "test");  // while the first holds the only slot
  gate.open();
  finished(id);
  runner->drain(1min);
  const std::string text = metrics_.text();
  const std::string ended = "serve_jobs_total{kind=\"video\",model=\"fake\",status=";
  for (const std::string& line :
       {ended + "\"completed\"} 1\n", ended + "\"cancelled\"} 1\n",
        std::string("serve_step_seconds_count{model=\"fake\"} 4\n"),
        std::string("serve_stage_seconds_count{stage=\"denoise\"} 1\n"),
        std::string("serve_stage_seconds_count{stage=\"encode_mp4\"} 1\n"),
        std::string("serve_queue_wait_seconds_count 1\n"),
        std::string("serve_queue_depth{kind=\"video\",priority=\"0\"} 0\n"),
        std::string("serve_jobs_running 0\n"), std::string("sglang:num_queue_reqs 0\n")}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

TEST_F(RunnerTest, IsPolledByManyWhileItWorks) {
  std::vector<std::string> ids;
  for (int i = 0; i < 30; ++i) ids.push_back(submit());
  std::atomic<bool> stop = false;
  std::atomic<int> polls = 0;
  {
    std::vector<std::jthread> pollers;
    for (int i = 0; i < 4; ++i) {
      pollers.emplace_back([&] {
        std::map<std::string, int> percents;
        while (!stop) {
          for (const auto& id : ids) {
            const int percent = jobs_.get(id).progress.percent;
            EXPECT_GE(percent, percents[id]);
            percents[id] = percent;
            ++polls;
          }
          jobs_.list({});
          metrics_.text();
        }
      });
    }
    const auto runner = run();
    for (size_t i = 0; i < ids.size(); i += 3) jobs_.cancel(ids[i], "test");
    for (const auto& id : ids) EXPECT_TRUE(is_final(finished(id).status));
    stop = true;
    runner->drain(1min);
  }
  EXPECT_GT(polls, 0);
  size_t completed = 0;
  for (const auto& id : ids) completed += jobs_.get(id).status == Status::Completed;
  EXPECT_EQ(files().size(), completed) << "no file but of a completed job";
}

}  // namespace
}  // namespace reel::jobs
