#include <set>

#include "server_fixture.h"

namespace reel::http {
namespace {

using json = nlohmann::json;

class Videos : public ServerTest {};

TEST_F(Videos, HasEveryKeyOfSglangAndOpenAi) {
  start();
  auto one = client();
  const auto response = one.post_json(
      "/v1/videos", {{"prompt", "a cat"}, {"model", "any"}, {"seed", 7}, {"size", "64x48"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const json created = response.json();
  for (const char* key : {"id",
                          "object",
                          "model",
                          "status",
                          "progress",
                          "created_at",
                          "size",
                          "seconds",
                          "quality",
                          "url",
                          "remixed_from_video_id",
                          "completed_at",
                          "expires_at",
                          "error",
                          "file_path",
                          "file_paths",
                          "num_outputs",
                          "peak_memory_mb",
                          "inference_time_s",
                          "action",
                          "prompt",
                          "stage",
                          "step",
                          "total_steps",
                          "eta_seconds",
                          "queue_position",
                          "fps",
                          "num_frames",
                          "seed"}) {
    EXPECT_TRUE(created.contains(key)) << key;
  }
  EXPECT_TRUE(created["status"] == "queued" || created["status"] == "in_progress");
  EXPECT_TRUE(created["url"].is_null() && created["inference_time_s"].is_null() &&
              created["peak_memory_mb"].is_null() && created["completed_at"].is_null());
  const int after = std::stoi(response.headers.at("openai-poll-after-ms"));
  EXPECT_TRUE(after >= 500 && after <= 5000);

  const json video = finished_video(one, {{"prompt", "a cat"}, {"model", "any"}, {"seed", 7}});
  EXPECT_EQ(video["status"], "completed");
  EXPECT_EQ(video["object"], "video");
  EXPECT_EQ(video["model"], "any");
  EXPECT_EQ(video["seed"], 7);
  EXPECT_EQ(video["size"], "64x48");
  EXPECT_EQ(video["seconds"], "1");
  EXPECT_EQ(video["num_frames"], 17);
  EXPECT_EQ(video["fps"], 16);
  EXPECT_EQ(video["progress"], 100);
  EXPECT_EQ(video["num_outputs"], 1);
  EXPECT_TRUE(video["error"].is_null());
  EXPECT_TRUE(video["inference_time_s"].is_number());
  EXPECT_TRUE(video["completed_at"].is_number_integer());
  EXPECT_TRUE(std::filesystem::path(video["file_path"].get<std::string>()).is_absolute());
  EXPECT_EQ(video["url"],
            "http://localhost/v1/videos/" + video["id"].get<std::string>() + "/content");
  const auto polled = one.get("/v1/videos/" + video["id"].get<std::string>());
  EXPECT_FALSE(polled.headers.contains("openai-poll-after-ms"));
}

TEST_F(Videos, TakesEveryEncoding) {
  start();
  auto one = client();
  const std::string multipart =
      "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na cat\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"seed\"\r\n\r\n3\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"num_frames\"\r\n\r\n5\r\n--b--\r\n";
  const std::pair<std::string, std::string> bodies[] = {
      {"application/json", R"({"prompt":"a cat","seed":3,"num_frames":5})"},
      {"application/json", R"({"prompt":"a cat","seed":"3","extra_body":{"num_frames":5.0}})"},
      {"multipart/form-data; boundary=b", multipart},
      {"application/x-www-form-urlencoded", "prompt=a+cat&seed=3&num_frames=5"},
      {"application/x-www-form-urlencoded", R"({"prompt":"a cat","seed":3,"num_frames":5})"},
  };
  for (const auto& [type, body] : bodies) {
    const auto response = one.ask("POST", "/v1/videos", "Content-Type: " + type + "\r\n", body);
    ASSERT_EQ(response.status, 200) << type << response.body;
    EXPECT_EQ(response.json()["prompt"], "a cat") << type;
    EXPECT_EQ(response.json()["seed"], 3) << type;
    EXPECT_EQ(response.json()["num_frames"], 5) << type;
  }
}

TEST_F(Videos, NamesTheFieldAtFault) {
  start();
  auto one = client();
  const auto refused = [&](const json& fields, const char* param) {
    SCOPED_TRACE(fields.dump());
    expect_error(one.post_json("/v1/videos", fields), 400, "invalid_request", param);
  };
  refused({{"model", "x"}}, "prompt");
  refused({{"prompt", "a"}, {"size", "big"}}, "size");
  refused({{"prompt", "a"}, {"seconds", "abc"}}, "seconds");
  refused({{"prompt", "a"}, {"seed", -1}}, "seed");
  refused({{"prompt", "a"}, {"num_frames", 0}}, "num_frames");
  refused({{"prompt", "a"}, {"enable_upscaling", true}}, "enable_upscaling");
  expect_error(one.ask("POST", "/v1/videos", "Content-Type: application/json\r\n", "{"), 400,
               "invalid_request");
  expect_error(one.ask("POST", "/v1/videos"), 400, "invalid_request");
  expect_error(one.ask("POST", "/v1/videos", "Content-Type: image/png\r\n", "\x89PNG"), 415,
               "unsupported_media_type", "content-type");
  expect_error(one.ask("POST", "/v1/videos", "Content-Encoding: gzip\r\n", "x"), 415,
               "unsupported_media_type", "content-encoding");
  EXPECT_EQ(one.get("/v1/videos").json()["data"].size(), 0u);
}

TEST_F(Videos, ServesContentWholeAndInRanges) {
  start();
  auto one = client();
  const json video = finished_video(one);
  const std::string path = "/v1/videos/" + video["id"].get<std::string>() + "/content";
  const auto whole = one.get(path);
  ASSERT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body.size(), size_t{64} * 48 * 3 * 17);
  EXPECT_EQ(whole.headers.at("content-type"), "video/mp4");
  EXPECT_EQ(whole.headers.at("accept-ranges"), "bytes");
  EXPECT_TRUE(whole.headers.at("content-disposition").starts_with("attachment; filename="));
  const std::string tag = whole.headers.at("etag");

  const auto head = one.ask("HEAD", path);
  EXPECT_EQ(head.headers.at("content-length"), whole.headers.at("content-length"));

  const auto part = one.get(path, "Range: bytes=100-199\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, whole.body.substr(100, 100));
  EXPECT_EQ(part.headers.at("content-range"), "bytes 100-199/" + std::to_string(whole.body.size()));
  EXPECT_EQ(one.get(path, "Range: bytes=-5\r\n").body, whole.body.substr(whole.body.size() - 5));
  EXPECT_EQ(one.get(path, "Range: bytes=0-1,3-4\r\n").status, 200);
  EXPECT_EQ(one.get(path, "Range: bytes=0-1\r\nIf-Range: " + tag + "\r\n").status, 206);
  EXPECT_EQ(one.get(path, "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200);
  const auto beyond = one.get(path, "Range: bytes=999999999-\r\n");
  expect_error(beyond, 416, "range_not_satisfiable", "range");
  EXPECT_EQ(beyond.headers.at("content-range"), "bytes */" + std::to_string(whole.body.size()));

  one.send("GET " + path + " HTTP/1.1\r\nHost: a.localhost\r\n\r\n");
  expect_error(one.read(), 403, "host_not_allowed", "host");
  const auto same = one.ask("HEAD", path, "If-None-Match: \"x\", W/" + tag + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(one.get(path, "If-None-Match: \"x\"\r\n").status, 200);
  const std::string modified = whole.headers.at("last-modified");
  EXPECT_EQ(one.ask("HEAD", path, "If-Modified-Since: " + modified + "\r\n").status, 304);
  EXPECT_EQ(one.get(path, "If-Match: " + tag + "\r\n").status, 200);
  expect_error(one.get(path, "If-Match: \"x\"\r\n"), 412, "precondition_failed", "if-match");
  EXPECT_TRUE(whole.headers.contains("date"));

  EXPECT_EQ(one.get(path + "?variant=video").status, 200);
  EXPECT_EQ(one.get(path + "?variant=0").status, 200);
  const auto thumbnail = one.get(path + "?variant=thumbnail");
  EXPECT_EQ(thumbnail.headers.at("content-type"), "image/webp");
  EXPECT_EQ(thumbnail.body, "a thumbnail");
  EXPECT_NE(thumbnail.headers.at("etag"), tag);
  const auto sheet = one.get(path + "?variant=spritesheet", "Range: bytes=2-7\r\n");
  EXPECT_EQ(sheet.status, 206);
  EXPECT_EQ(sheet.headers.at("content-type"), "image/jpeg");
  EXPECT_EQ(sheet.body, "sprite");
  for (const char* variant : {"1", "-1", "x", "Thumbnail", "0x0", "99999999999999999999999"}) {
    expect_error(one.get(path + "?variant=" + variant), 404, "not_found", "variant");
  }
}

TEST_F(Videos, HasSeveralOutputs) {
  start();
  auto one = client();
  const json video =
      finished_video(one, {{"prompt", "a"}, {"n", 2}, {"seed", 5}, {"num_frames", 1}});
  ASSERT_EQ(video["status"], "completed");
  EXPECT_EQ(video["num_outputs"], 2);
  EXPECT_EQ(video["seed"], json({5, 6}));
  EXPECT_EQ(video["file_paths"].size(), 2u);
  const std::string path = "/v1/videos/" + video["id"].get<std::string>() + "/content";
  EXPECT_NE(one.get(path + "?variant=0").body, one.get(path + "?variant=1").body);
  EXPECT_EQ(one.get(path + "?variant=2").status, 404);
}

TEST_F(Videos, ContentBeforeCompletionIsNotFound) {
  start({.step_ms = 50, .steps = 100});
  auto one = client();
  const std::string id = one.post_json("/v1/videos", {{"prompt", "a"}}).json()["id"];
  expect_error(one.get("/v1/videos/" + id + "/content"), 404, "video_not_ready");
}

TEST_F(Videos, ReportsProgressAndPlaceInTheQueue) {
  start({.step_ms = 30, .steps = 10});
  auto one = client();
  const std::string id = one.post_json("/v1/videos", {{"prompt", "a"}}).json()["id"];
  const std::string next = one.post_json("/v1/videos", {{"prompt", "b"}}).json()["id"];
  int last = 0;
  std::set<int> seen;
  std::set<std::string> stages;
  EXPECT_TRUE(soon([&] {
    const json video = one.get("/v1/videos/" + id).json();
    const int progress = video["progress"];
    EXPECT_GE(progress, last);
    seen.insert(last = progress);
    if (video["status"] == "in_progress") {
      stages.insert(video["stage"].get<std::string>());
      EXPECT_TRUE(video["step"].is_number() && video["total_steps"].is_number()) << video;
      const json waiting = one.get("/v1/videos/" + next).json();
      EXPECT_TRUE(waiting["status"] != "queued" || waiting["queue_position"].is_number())
          << waiting;
    }
    return video["status"] == "completed";
  }));
  EXPECT_GT(seen.size(), 4u) << "progress jumps";
  EXPECT_TRUE(stages.contains("denoise"));
}

TEST_F(Videos, CancelStopsAndKeepsTheRecord) {
  start({.step_ms = 50, .steps = 200});
  auto one = client();
  const std::string id = one.post_json("/v1/videos", {{"prompt", "a"}}).json()["id"];
  const std::string path = "/v1/videos/" + id;
  EXPECT_TRUE(soon([&] { return one.get(path).json()["status"] == "in_progress"; }));
  const auto cancelled = one.ask("POST", path + "/cancel");
  ASSERT_EQ(cancelled.status, 200) << cancelled.body;
  EXPECT_EQ(cancelled.json()["status"], "failed");
  EXPECT_EQ(cancelled.json()["error"]["code"], "cancelled");
  EXPECT_EQ(one.ask("POST", path + "/cancel").json()["status"], "failed");
  expect_error(one.get(path + "/content"), 404, "video_not_ready");
  expect_error(one.ask("POST", "/v1/videos/none/cancel"), 404, "not_found", "id");
}

TEST_F(Videos, DeleteForgetsJobAndFile) {
  start();
  auto one = client();
  const json video = finished_video(one);
  const std::string path = "/v1/videos/" + video["id"].get<std::string>();
  EXPECT_TRUE(std::filesystem::exists(video["file_path"].get<std::string>()));
  const auto gone = one.ask("DELETE", path);
  ASSERT_EQ(gone.status, 200);
  EXPECT_EQ(gone.json()["object"], "video.deleted");
  EXPECT_EQ(gone.json()["deleted"], true);
  EXPECT_EQ(gone.json()["id"], video["id"]);
  EXPECT_EQ(gone.json()["status"], "deleted");
  for (const auto& left : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(left.path().filename(), ".lock");
  }
  EXPECT_FALSE(std::filesystem::exists(video["file_path"].get<std::string>()));
  expect_error(one.get(path), 404, "not_found", "id");
  expect_error(one.ask("DELETE", path), 404, "not_found", "id");
  expect_error(one.get(path + "/content"), 404, "not_found", "id");
}

TEST_F(Videos, DeleteRemovesWhatFilesItCan) {
  start();
  auto one = client();
  const json video = finished_video(one, {{"prompt", "a"}, {"n", 3}, {"num_frames", 1}});
  const std::filesystem::path kept = video["file_paths"][0].get<std::string>();
  std::filesystem::remove(kept);
  std::filesystem::create_directory(kept);  // cannot be unlinked
  const auto gone = one.ask("DELETE", "/v1/videos/" + video["id"].get<std::string>());
  EXPECT_EQ(gone.status, 200) << gone.body;
  for (const int output : {1, 2}) {
    EXPECT_FALSE(std::filesystem::exists(video["file_paths"][output].get<std::string>()));
  }
}

TEST_F(Videos, DeleteStopsARunningJob) {
  start({.step_ms = 50, .steps = 200});
  auto one = client();
  const std::string first = one.post_json("/v1/videos", {{"prompt", "a"}}).json()["id"];
  const std::string second = one.post_json("/v1/videos", {{"prompt", "b"}}).json()["id"];
  EXPECT_EQ(one.ask("DELETE", "/v1/videos/" + first).json()["deleted"], true);
  EXPECT_TRUE(
      soon([&] { return one.get("/v1/videos/" + second).json()["status"] == "in_progress"; }));
}

TEST_F(Videos, ListsInPages) {
  start({.step_ms = 1000, .steps = 100});
  auto one = client();
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) {
    ids.push_back(one.post_json("/v1/videos", {{"prompt", std::to_string(i)}}).json()["id"]);
  }
  for (const bool newest : {true, false}) {
    std::vector<std::string> seen;
    std::string after;
    for (;;) {
      const json page = one.get("/v1/videos?limit=3&order=" + std::string(newest ? "desc" : "asc") +
                                (after.empty() ? "" : "&after=" + after))
                            .json();
      EXPECT_EQ(page["object"], "list");
      for (const json& video : page["data"]) seen.push_back(video["id"]);
      EXPECT_EQ(page["first_id"], page["data"].front()["id"]);
      after = page["last_id"];
      if (!page["has_more"].get<bool>()) break;
    }
    if (newest) std::reverse(seen.begin(), seen.end());
    EXPECT_EQ(seen, ids);
  }
  const json none = one.get("/v1/videos?after=unknown").json();
  EXPECT_TRUE(none["data"].empty() && none["first_id"].is_null() && none["last_id"].is_null());
  EXPECT_EQ(none["has_more"], false);
  for (const char* query : {"limit=0", "limit=101", "limit=x", "limit=-1", "limit="}) {
    expect_error(one.get("/v1/videos?" + std::string(query)), 400, "invalid_request", "limit");
  }
  expect_error(one.get("/v1/videos?order=up"), 400, "invalid_request", "order");
}

TEST_F(Videos, FailedJobsSayWhy) {
  start({.fail_step = 2, .fail_with = ErrorCode::OutOfMemory});
  auto one = client();
  const json video = finished_video(one);
  EXPECT_EQ(video["status"], "failed");
  EXPECT_EQ(video["error"]["code"], "out_of_memory");
  EXPECT_TRUE(video["url"].is_null() && video["completed_at"].is_null());
  const auto content = one.get("/v1/videos/" + video["id"].get<std::string>() + "/content");
  expect_error(content, 404, "video_not_ready");
  EXPECT_EQ(content.json()["detail"], video["error"]["message"]);
}

TEST_F(Videos, RefusesWhenTheQueueIsFull) {
  start({.step_ms = 1000, .steps = 100}, {}, 2);
  auto one = client();
  EXPECT_TRUE(soon([&] { return one.post_json("/v1/videos", {{"prompt", "a"}}).status == 429; }));
  const auto full = one.post_json("/v1/videos", {{"prompt", "a"}});
  expect_error(full, 429, "queue_full");
  EXPECT_EQ(full.json()["error"]["type"], "rate_limit_error");
  const int retry = std::stoi(full.headers.at("retry-after"));
  EXPECT_TRUE(retry >= 1 && retry <= 60);
  EXPECT_EQ(one.get("/v1/videos").status, 200);
}

TEST_F(Videos, OneKeyIsOneJob) {
  start();
  auto one = client();
  const auto ask = [&](const std::string& body) {
    return one.ask("POST", "/v1/videos", "Idempotency-Key: k1\r\n", body);
  };
  const auto first = ask(R"({"prompt":"a"})"), again = ask(R"({ "prompt": "a" })");
  EXPECT_EQ(first.json()["id"], again.json()["id"]);
  EXPECT_EQ(again.headers.at("idempotency-replayed"), "true");
  expect_error(ask(R"({"prompt":"b"})"), 422, "idempotency_key_reused", "idempotency-key");
  const auto number = [&](const std::string& prompt) {
    return one.ask("POST", "/v1/videos", "Idempotency-Key: number\r\n",
                   R"({"prompt":")" + prompt + R"("})");
  };
  EXPECT_EQ(number("1000").status, 200);
  expect_error(number("1e3"), 422, "idempotency_key_reused", "idempotency-key");
  const auto by_form = one.ask("POST", "/v1/videos",
                               "Idempotency-Key: k1\r\n"
                               "Content-Type: application/x-www-form-urlencoded\r\n",
                               "prompt=a");
  EXPECT_EQ(by_form.json()["id"], first.json()["id"]);
  for (const char* same : {R"({"prompt":"a","n":null})", R"({"extra_body":{"prompt":"a"}})"}) {
    EXPECT_EQ(ask(same).json()["id"], first.json()["id"]) << same;
  }
  for (const char* path : {"/v1/videos/sync", "/v1/images/generations"}) {
    for (const char* seed : {"1", "\"1\""}) {
      const auto reply =
          one.ask("POST", path, "Idempotency-Key: k2\r\nContent-Type: application/json\r\n",
                  std::string(R"({"prompt":"a","size":"64x48","seed":)") + seed + "}");
      EXPECT_EQ(reply.status, 200) << reply.body;
      EXPECT_EQ(reply.headers.contains("idempotency-replayed"), std::string(seed) != "1") << path;
    }
  }
  EXPECT_NE(one.post_json("/v1/videos", {{"prompt", "a"}}).json()["id"], first.json()["id"]);
}

TEST_F(Videos, AreListedInPagesThatNobodyHasToFear) {
  start({.step_ms = 1000, .steps = 1000});
  auto one = client();
  const std::string longest(size_t{1} << 20, 'p');
  for (int i = 0; i < 6; ++i) one.post_json("/v1/videos", {{"prompt", longest}});
  const json page = one.get("/v1/videos").json();
  EXPECT_EQ(page["data"].size(), 4u);
  EXPECT_EQ(page["has_more"], true);
  EXPECT_EQ(page["last_id"], page["data"][3]["id"]);
  const json rest = one.get("/v1/videos?after=" + page["last_id"].get<std::string>()).json();
  EXPECT_EQ(rest["data"].size(), 2u);
  EXPECT_EQ(rest["has_more"], false);
}

TEST_F(Videos, UrlIsThePublicOne) {
  start({}, {.public_url = "https://videos.example/reel/"});
  auto one = client();
  const json video = finished_video(one);
  EXPECT_EQ(video["url"],
            "https://videos.example/reel/v1/videos/" + video["id"].get<std::string>() + "/content");
}

}  // namespace
}  // namespace reel::http
