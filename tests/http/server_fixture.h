#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "client.h"
#include "reel/base/clock.h"
#include "reel/base/ids.h"
#include "reel/base/log.h"
#include "reel/gen/fake_generator.h"
#include "reel/http/server.h"
#include "reel/jobs/job_runner.h"
#include "reel/store/file_blob_store.h"
#include "reel/store/memory_job_store.h"

namespace reel::http {

/// Writes the frames' bytes as they are: enough of a file for who never looks inside.
class RawWriter final : public jobs::OutputWriter {
 public:
  explicit RawWriter(jobs::BlobPart& part) : part_(&part) {}
  void begin(const gen::VideoFormat&) override {}
  void write(gen::Frames frames) override {
    part_->write({reinterpret_cast<const char*>(frames.rgb.data()), frames.rgb.size()});
  }
  Pictures finish() override { return {"a thumbnail", "a sprite sheet"}; }

 private:
  jobs::BlobPart* part_;
};

/// The whole server half over a fake generator.
class ServerTest : public testing::Test {
 protected:
  using json = nlohmann::json;

  ServerTest() { log::set_level(log::Level::Error); }  // a failure is not lost among a job's lines

  static constexpr std::chrono::seconds kTtl{3600};  // of finished jobs; nobody looks at the clock

  void start(const gen::FakeOptions& fake = {}, Options options = {}, size_t max_queued = 100,
             const jobs::InputOptions& inputs = {}) {
    options.port = 0;
    folder_ = std::filesystem::temp_directory_path() / random_id("reel-http-");
    generator_ = std::make_unique<gen::FakeGenerator>(fake);
    jobs_ = std::make_unique<store::MemoryJobStore>(max_queued, kTtl);
    blobs_ = std::make_unique<store::FileBlobStore>(folder_);
    runner_ = std::make_unique<jobs::JobRunner>(
        *jobs_, *blobs_, *generator_,
        [](jobs::BlobPart& part, const jobs::JobSpec&, int) {
          return std::make_unique<RawWriter>(part);
        },
        metrics_);
    inputs_ = std::make_unique<jobs::InputLoader>(inputs);
    server_ = std::make_unique<Server>(
        options, Services{*jobs_, *blobs_, *generator_, metrics_, *inputs_}, keys_);
    server_->start();
    if (fake.load_ms == 0 && !fake.fail_load) wait_until_ready();
  }
  virtual void wait_until_ready() {
    EXPECT_TRUE(soon([&] { return client().get("/health").status == 200; }));
  }
  void TearDown() override {
    server_.reset();
    runner_.reset();
    blobs_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  Client client() { return Client(server_->port()); }

  static bool soon(const std::function<bool()>& holds) {
    for (const Stopwatch watch; watch.seconds() < 20;) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  /// Submits, and returns the video object once it is in a final state.
  json finished_video(Client& one, json fields = {{"prompt", "a cat"}}) {
    const auto submitted = one.post_json("/v1/videos", fields);
    EXPECT_EQ(submitted.status, 200) << submitted.body;
    json video = submitted.json();
    const std::string path = "/v1/videos/" + video["id"].get<std::string>();
    EXPECT_TRUE(soon([&] {
      video = one.get(path).json();
      return video["status"] == "completed" || video["status"] == "failed";
    }));
    return video;
  }

  /// That `response` is an error of this kind, whole in OpenAI's shape and in SGLang's.
  static void expect_error(const Client::Response& response, int status, const std::string& code,
                           const json& param = nullptr) {
    ASSERT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.headers.at("content-type"), "application/json");
    EXPECT_FALSE(response.headers.at("x-request-id").empty());
    const json body = response.json();
    const json& error = body.at("error");
    EXPECT_EQ(error.size(), 4u) << body;
    EXPECT_TRUE(error.at("message").is_string() && error.at("type").is_string()) << body;
    EXPECT_EQ(error.at("code"), code) << body;
    EXPECT_EQ(error.at("param"), param) << body;
    EXPECT_EQ(body.at("detail"), error.at("message")) << body;
  }

  std::filesystem::path folder_;
  ApiKeys keys_;
  Metrics metrics_;
  std::unique_ptr<gen::FakeGenerator> generator_;
  std::unique_ptr<store::MemoryJobStore> jobs_;
  std::unique_ptr<store::FileBlobStore> blobs_;
  std::unique_ptr<jobs::JobRunner> runner_;
  std::unique_ptr<jobs::InputLoader> inputs_;
  std::unique_ptr<Server> server_;
};

}  // namespace reel::http
