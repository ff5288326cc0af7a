#include "reel/jobs/retention.h"
#include "server_fixture.h"

namespace reel::http {
namespace {

using json = nlohmann::json;

class Images : public ServerTest {};

TEST_F(Images, ComeAsBase64) {
  start();
  auto one = client();
  const auto response = one.post_json(
      "/v1/images/generations",
      {{"prompt", "a cat"}, {"n", 2}, {"response_format", "b64_json"}, {"size", "64x48"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const json images = response.json();
  ASSERT_EQ(images["data"].size(), 2u);
  for (const json& image : images["data"]) {
    EXPECT_EQ(image["b64_json"].get<std::string>().size(), size_t{64} * 48 * 3 / 3 * 4);
    EXPECT_TRUE(image["url"].is_null());
    EXPECT_EQ(image["revised_prompt"], "a cat");
  }
  EXPECT_NE(images["data"][0]["b64_json"], images["data"][1]["b64_json"]);
  EXPECT_EQ(images["data"][1]["seed"], images["data"][0]["seed"].get<uint64_t>() + 1);
  EXPECT_TRUE(images["created"].is_number_integer());
  EXPECT_EQ(images["size"], "64x48");
  EXPECT_TRUE(images["inference_time_s"].is_number());
}

TEST_F(Images, ComeAsUrls) {
  start();
  auto one = client();
  const auto response = one.post_json(
      "/v1/images/generations",
      {{"prompt", "a"}, {"response_format", "url"}, {"output_format", "png"}, {"size", "64x48"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const json images = response.json();
  const std::string id = images["id"];
  EXPECT_EQ(images["data"][0]["url"], "http://localhost/v1/images/" + id + "/content");
  EXPECT_EQ(images["output_format"], "png");
  const auto content = one.get("/v1/images/" + id + "/content");
  EXPECT_EQ(content.headers.at("content-type"), "image/png");
  EXPECT_EQ(content.body.size(), size_t{64} * 48 * 3);
  EXPECT_EQ(one.get("/v1/images/" + id + "/content?variant=0").status, 200);
  expect_error(one.get("/v1/images/" + id + "/content?variant=1"), 404, "not_found", "variant");
  expect_error(one.get("/v1/videos/" + id), 404, "not_found", "id");
  expect_error(one.get("/v1/images/none/content"), 404, "not_found", "id");
}

TEST_F(Images, ExpireToo) {
  start();
  auto one = client();
  const std::string id = one.post_json("/v1/images/generations", {{"prompt", "a"}}).json()["id"];
  const std::string path = "/v1/images/" + id + "/content";
  EXPECT_EQ(one.get(path).status, 200);
  jobs::remove_expired(*jobs_, *blobs_, INT64_MAX);
  expect_error(one.get(path), 410, "gone", "id");
}

TEST_F(Images, AreNoVideos) {
  start();
  auto one = client();
  const std::string id = finished_video(one)["id"];
  expect_error(one.get("/v1/images/" + id + "/content"), 404, "not_found", "id");
}

TEST_F(Images, RefuseWhatIsWrong) {
  start();
  auto one = client();
  const auto ask = [&](const json& fields) {
    return one.post_json("/v1/images/generations", fields);
  };
  expect_error(ask({{"n", 1}}), 400, "invalid_request", "prompt");
  expect_error(ask({{"prompt", "a"}, {"n", 11}}), 400, "invalid_request", "n");
  expect_error(ask({{"prompt", "a"}, {"response_format", "gif"}}), 400, "invalid_request",
               "response_format");
  expect_error(one.get("/v1/images/generations"), 405, "method_not_allowed");
}

TEST_F(Images, AreNotEdited) {
  start();
  auto one = client();
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"image\"; "
      "filename=\"a.png\"\r\n\r\nx\r\n--b--\r\n";
  expect_error(one.ask("POST", "/v1/images/edits",
                       "Content-Type: multipart/form-data; boundary=b\r\n", body),
               400, "invalid_request", "image");
}

TEST_F(Images, FailWithTheirJob) {
  start({.fail_step = 1});
  auto one = client();
  const auto response =
      one.post_json("/v1/images/generations", {{"prompt", "a"}, {"size", "64x48"}});
  expect_error(response, 500, "generation_failed");
  EXPECT_EQ(response.headers.at("x-should-retry"), "false");
}

TEST_F(Images, StopWhenTheClientGoes) {
  start({.step_ms = 50, .steps = 500});
  {
    auto one = client();
    one.send(
        "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 31\r\n\r\n"
        R"({"prompt":"a", "size": "64x48"})");
    EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Image).in_progress == 1; }));
  }
  EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Image).in_progress == 0; }));
}

TEST_F(Images, GiveUpInTime) {
  start({.step_ms = 50, .steps = 500}, {.sync_wait = std::chrono::seconds(1)});
  auto one = client();
  expect_error(one.post_json("/v1/images/generations", {{"prompt", "a"}, {"size", "64x48"}}), 504,
               "timeout");
  EXPECT_EQ(jobs_->counts(jobs::Kind::Image).in_progress, 0u);
}

/// The data of the events of this type.
std::vector<json> events_of(const std::string& type, const std::string& text) {
  const std::string mark = "event: " + type + "\ndata: ";
  std::vector<json> events;
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const size_t from = at + mark.size();
    events.push_back(json::parse(text.substr(from, text.find('\n', from) - from)));
  }
  return events;
}

TEST_F(Images, StreamWhenAsked) {
  start();
  auto one = client();
  const std::string body = R"({"prompt":"a","n":2,"size":"64x48","stream":true})";
  one.send("POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(one.read(true).headers.at("content-type"), "text/event-stream");
  const std::string text = one.read_until();
  const auto images = events_of("image_generation.completed", text);
  EXPECT_EQ(images.size(), 2u);
  for (const json& image : images) {
    EXPECT_EQ(image["type"], "image_generation.completed");
    EXPECT_EQ(image["b64_json"].get<std::string>().size(), size_t{64} * 48 * 3 / 3 * 4);
    EXPECT_EQ(image["size"], "64x48");
  }
  expect_error(
      client().post_json("/v1/images/generations", {{"prompt", "a"}, {"partial_images", 4}}), 400,
      "invalid_request", "partial_images");
}

TEST_F(Images, StreamPartsBeforeTheWhole) {
  start();
  const auto streamed = [&](int steps, int partial_images) {
    const std::string body = json{
        {"prompt", "a"},
        {"n", 2},
        {"size", "64x48"},
        {"output_format", "png"},
        {"stream", true},
        {"num_inference_steps", steps},
        {"partial_images",
         partial_images}}.dump();
    auto one = client();
    one.send("POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body);
    one.read(true);
    return events_of("image_generation.partial_image", one.read_until());
  };
  for (const auto& [steps, partial, seen] :
       {std::tuple(20, 3, 3), {9, 3, 3}, {5, 2, 2}, {2, 3, 1}, {1, 1, 0}, {10, 0, 0}}) {
    const auto events = streamed(steps, partial);
    ASSERT_EQ(events.size(), size_t(2) * size_t(seen)) << steps << ' ' << partial;
    for (size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(events[i]["partial_image_index"], int(i) % seen) << "of each image";
      EXPECT_EQ(events[i]["size"], "64x48");
      EXPECT_EQ(events[i]["output_format"], "png");
      EXPECT_TRUE(events[i]["b64_json"].get<std::string>().starts_with("iVBORw0KGgo"));
    }
  }
}

TEST_F(Images, StreamTheirFailure) {
  start({.fail_step = 1});
  auto one = client();
  const std::string body = R"({"prompt":"a","stream":true})";
  one.send("POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body);
  one.read(true);
  const std::string text = one.read_until();
  EXPECT_NE(text.find("event: error\ndata: {"), std::string::npos) << text;
  EXPECT_NE(text.find("generation_failed"), std::string::npos) << text;
}

TEST_F(Images, StopWhenTheStreamsClientGoes) {
  start({.step_ms = 50, .steps = 500});
  {
    auto one = client();
    one.send(
        "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 28\r\n\r\n"
        R"({"prompt":"a","stream":true})");
    EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Image).in_progress == 1; }));
  }
  EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Image).in_progress == 0; }));
}

TEST_F(Images, AreNotWaitedForByAServerThatStops) {
  start({.step_ms = 50, .steps = 500});
  auto first = client(), queued = client(), streamed = client();
  first.post_json("/v1/videos", {{"prompt", "a"}});
  EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Video).in_progress == 1; }));
  const std::string head = "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\n";
  queued.send(head + "Content-Length: 14\r\n\r\n" + R"({"prompt":"a"})");
  streamed.send(head + "Content-Length: 28\r\n\r\n" + R"({"prompt":"a","stream":true})");
  EXPECT_TRUE(soon([&] { return jobs_->counts(jobs::Kind::Image).queued == 2; }));
  server_->begin_drain();
  jobs_->give_up_queue("the server is shutting down");  // as the runner does
  expect_error(queued.read(), 503, "unavailable");
  streamed.read(true);
  EXPECT_NE(streamed.read_until().find("the server is shutting down"), std::string::npos);
}

TEST_F(Images, ManyWaitWithTwoThreads) {
  start({.step_ms = 2}, {.threads = 2});
  std::vector<Client> clients;
  const std::string body = R"({"prompt":"a","size":"64x48","num_inference_steps":2})";
  for (int i = 0; i < 30; ++i) {
    clients.push_back(client());
    clients.back().send(
        "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  auto quick = client();
  EXPECT_EQ(quick.get("/health").status, 200);
  for (Client& one : clients) EXPECT_EQ(one.read().status, 200);
}

}  // namespace
}  // namespace reel::http
