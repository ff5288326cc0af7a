#include "server_fixture.h"

namespace reel::http {
namespace {

using json = nlohmann::json;

class Queue : public ServerTest {};

TEST_F(Queue, TellsWhenTheQueueHasRoom) {
  start({}, {}, 1);
  runner_.reset();  // the test takes its part
  auto one = client();
  const auto create = [&] { return one.post_json("/v1/videos", {{"prompt", "a"}}); };
  create();
  jobs::Result result;
  result.inference_time_s = 41.5;
  jobs_->complete(jobs_->take({})->job.id, result);
  create();
  const std::string running = jobs_->take({})->job.id;
  create();
  const int retry = std::stoi(create().headers.at("retry-after"));
  EXPECT_TRUE(retry > 10 && retry <= 42) << retry;
  jobs_->progress(running, {gen::Stage::Denoising, 0, 1, 2, 50, 6.5});
  EXPECT_EQ(create().headers.at("retry-after"), "7");
  jobs_->progress(running, {gen::Stage::Denoising, 0, 1, 2, 50, 1e4});
  EXPECT_LE(std::stoi(create().headers.at("retry-after")), 60);
}

TEST_F(Queue, HavePrioritiesAndTimeouts) {
  start({.step_ms = 50, .steps = 1000});
  auto one = client();
  const json plain = one.post_json("/v1/videos", {{"prompt", "a"}}).json();
  EXPECT_EQ(plain["priority"], 0);
  EXPECT_TRUE(plain["timeout_s"].is_null());
  const json urgent = finished_video(one, {{"prompt", "b"}, {"priority", "3"}, {"timeout_s", 0.1}});
  EXPECT_EQ(urgent["priority"], 3);
  EXPECT_EQ(urgent["timeout_s"], 0.1);
  EXPECT_EQ(urgent["status"], "failed");
  EXPECT_EQ(urgent["error"]["code"], "timeout");
  const auto queued = finished_video(one, {{"prompt", "c"}, {"timeout_s", 0.1}});
  EXPECT_EQ(queued["error"]["code"], "timeout");
  const std::string path = "/v1/videos/" + plain["id"].get<std::string>();
  EXPECT_EQ(one.get(path).json()["status"], "in_progress");
  const json remix = one.post_json(path + "/remix", {{"prompt", "d"}}).json();
  EXPECT_TRUE(remix["timeout_s"].is_null());
  expect_error(one.post_json("/v1/videos", {{"prompt", "a"}, {"priority", 101}}), 400,
               "invalid_request", "priority");
}

}  // namespace
}  // namespace reel::http
