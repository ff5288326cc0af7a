#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "reel/base/ids.h"
#include "reel/gen/fake_generator.h"
#include "reel/jobs/job_runner.h"
#include "reel/store/file_blob_store.h"
#include "reel/store/memory_job_store.h"

namespace reel::jobs {

/// Opens once; whoever passes before that waits.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// The fake, with a hook before each step's question, and with the job's prompt at hand.
class HookedGenerator final : public gen::Generator {
 public:
  using Hook = std::function<void(const gen::ResolvedRequest&, int step)>;

  explicit HookedGenerator(const gen::FakeOptions& options = {}) : fake_(options) {}

  const gen::Description& describe() const override { return fake_.describe(); }
  gen::State state() const override { return fake_.state(); }
  gen::ResolvedRequest check(const gen::VideoRequest& request) const override {
    return fake_.check(request);
  }
  int slots() const override { return fake_.slots(); }

  gen::Outcome generate(const gen::ResolvedRequest& request, int output,
                        const gen::Snapshot* snapshot, gen::FrameSink& sink,
                        gen::Control& control) override {
    struct Hooked final : gen::Control {
      Ask ask() override {
        owner.hook(request, step++);
        return control.ask();
      }
      void report(const gen::Progress& progress) override { control.report(progress); }

      HookedGenerator& owner;
      const gen::ResolvedRequest& request;
      gen::Control& control;
      int step = 0;

      Hooked(HookedGenerator& o, const gen::ResolvedRequest& r, gen::Control& c)
          : owner(o), request(r), control(c) {}
    } hooked(*this, request, control);
    return fake_.generate(request, output, snapshot, sink, hooked);
  }

  Hook hook = [](const gen::ResolvedRequest&, int) {};

 private:
  gen::FakeGenerator fake_;
};

/// Writes frames as they are.
class RawWriter final : public OutputWriter {
 public:
  explicit RawWriter(BlobPart& part) : part_(part) {}
  void begin(const gen::VideoFormat&) override {}
  void write(gen::Frames frames) override {
    part_.write({reinterpret_cast<const char*>(frames.rgb.data()), frames.rgb.size()});
  }
  Pictures finish() override {
    on_finish();
    return {};
  }

  std::function<void()> on_finish = [] {};

 private:
  BlobPart& part_;
};

class RunnerTest : public testing::Test {
 protected:
  ~RunnerTest() override { std::filesystem::remove_all(folder_); }

  std::string submit(const std::string& prompt = "a square", int outputs = 1,
                     Kind kind = Kind::Video) {
    gen::VideoRequest request;
    request.prompt = prompt;
    request.num_outputs = outputs;
    request.seeds = {7};
    if (kind == Kind::Image) request.num_frames = 1;
    JobSpec spec;
    spec.kind = kind;
    spec.model = "fake";
    spec.request = generator_.check(request);
    return jobs_.submit(std::move(spec)).job.id;
  }

  Job finished(const std::string& id) { return jobs_.wait(id, std::chrono::minutes(1)); }

  /// Everything in the folder but its lock.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().filename() != ".lock") names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::unique_ptr<JobRunner> run(OutputWriterFactory make_writer = raw_writers()) {
    return std::make_unique<JobRunner>(jobs_, blobs_, generator_, std::move(make_writer), metrics_);
  }

  static OutputWriterFactory raw_writers() {
    return [](BlobPart& part, const JobSpec&, int) { return std::make_unique<RawWriter>(part); };
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / random_id("reel_runner_");
  store::MemoryJobStore jobs_{1000};
  store::FileBlobStore blobs_{folder_};
  HookedGenerator generator_;
  Metrics metrics_;
};

}  // namespace reel::jobs
