#include "server_fixture.h"

namespace reel::http {
namespace {

using json = nlohmann::json;

class Remix : public ServerTest {};
class Sync : public ServerTest {};

TEST_F(Remix, KeepsAllButThePrompt) {
  start();
  auto one = client();
  const json source = one.post_json("/v1/videos", {{"prompt", "a cat"},
                                                   {"model", "m"},
                                                   {"seed", {5, 9}},
                                                   {"n", 2},
                                                   {"size", "32x48"},
                                                   {"fps", 8},
                                                   {"num_frames", 5}})
                          .json();
  const std::string path = "/v1/videos/" + source["id"].get<std::string>() + "/remix";
  const auto response = one.post_json(path, {{"prompt", "a dog"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const json video = response.json();
  EXPECT_EQ(video["remixed_from_video_id"], source["id"]);
  EXPECT_NE(video["id"], source["id"]);
  EXPECT_EQ(video["prompt"], "a dog");
  for (const char* key : {"model", "size", "fps", "num_frames"}) EXPECT_EQ(video[key], source[key]);
  EXPECT_EQ(video["seed"], 5);
  EXPECT_EQ(one.post_json(path, {{"prompt", "b"}, {"n", 2}}).json()["seed"], source["seed"]);
  EXPECT_EQ(one.post_json(path, {{"prompt", "b"}, {"n", 3}}).json()["seed"], json({5, 6, 7}));
  const json longer = one.post_json(path, {{"prompt", "b"}, {"seconds", 2}, {"seed", 1}}).json();
  EXPECT_EQ(longer["num_frames"], 17);
  EXPECT_EQ(longer["seed"], 1);
  expect_error(one.post_json(path, {{"seed", 1}}), 400, "invalid_request", "prompt");
  expect_error(one.post_json("/v1/videos/none/remix", {{"prompt", "a"}}), 404, "not_found", "id");
}

TEST_F(Sync, AnswersWithTheFile) {
  start({.step_ms = 5});
  auto one = client();
  const auto response = one.post_json("/v1/videos/sync", {{"prompt", "a"}, {"num_frames", 5}});
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.headers.at("content-type"), "video/mp4");
  EXPECT_EQ(response.body.size(), size_t{64} * 48 * 3 * 5);
  EXPECT_FALSE(response.headers.at("x-request-id").empty());
  EXPECT_GT(std::stod(response.headers.at("x-inference-time-s")), 0);
  const std::string id = response.headers.at("x-video-id");
  EXPECT_EQ(one.get("/v1/videos/" + id + "/content").body, response.body);
  expect_error(one.post_json("/v1/videos/sync", {{"prompt", ""}}), 400, "invalid_request",
               "prompt");
}

TEST_F(Sync, FailsWithItsJob) {
  start({.fail_step = 1});
  auto one = client();
  expect_error(one.post_json("/v1/videos/sync", {{"prompt", "a"}}), 500, "generation_failed");
}

TEST_F(Sync, EndsAtItsDeadline) {
  start({.step_ms = 50, .steps = 1000});
  auto one = client();
  expect_error(one.post_json("/v1/videos/sync", {{"prompt", "a"}, {"timeout_s", 0.1}}), 504,
               "timeout");
  expect_error(one.post_json("/v1/images/generations", {{"prompt", "a"}, {"timeout_s", 0.1}}), 504,
               "timeout");
  EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Video).in_progress == 0; }));
}

TEST_F(Sync, StopsWhenTheClientGoes) {
  start({.step_ms = 50, .steps = 500});
  {
    auto one = client();
    one.send(
        "POST /v1/videos/sync HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n"
        R"({"prompt":"a"})");
    EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Video).in_progress == 1; }));
  }
  EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Video).in_progress == 0; }));
}

TEST_F(Sync, IsThereStillForAClientThatComesBackWithItsKey) {
  start({.step_ms = 200, .steps = 2});
  const std::string body = R"({"prompt":"a"})";
  {
    auto one = client();
    one.send(
        "POST /v1/videos/sync HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
        "Content-Length: 14\r\n\r\n" +
        body);
    EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Video).in_progress == 1; }));
  }
  auto one = client();
  const auto again = one.ask("POST", "/v1/videos/sync", "Idempotency-Key: k\r\n", body);
  EXPECT_EQ(again.status, 200) << again.body;
  EXPECT_EQ(again.headers.at("idempotency-replayed"), "true");
}

TEST_F(Sync, SaysThatAFailureIsTheOneOfBefore) {
  start({.fail_step = 1});
  auto one = client();
  const std::string body = R"({"prompt":"a"})";
  one.ask("POST", "/v1/videos/sync", "Idempotency-Key: k\r\n", body);
  const auto again = one.ask("POST", "/v1/videos/sync", "Idempotency-Key: k\r\n", body);
  expect_error(again, 500, "generation_failed");
  EXPECT_EQ(again.headers.at("idempotency-replayed"), "true");
}

TEST_F(Sync, TakesASecondLookWithOneKey) {
  start();
  auto one = client();
  const std::string body = R"({"prompt":"a"})";
  const auto first = one.ask("POST", "/v1/videos/sync", "Idempotency-Key: k\r\n", body);
  const auto again = one.ask("POST", "/v1/videos/sync", "Idempotency-Key: k\r\n", body);
  EXPECT_EQ(first.headers.at("x-video-id"), again.headers.at("x-video-id"));
  EXPECT_EQ(first.body, again.body);
}

}  // namespace
}  // namespace reel::http
