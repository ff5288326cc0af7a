#include <algorithm>
#include <map>
#include <vector>

#include "event_feed.h"
#include "server_fixture.h"

namespace reel::http {
namespace {

using json = nlohmann::json;

struct Event {
  std::string id, type;
  json data;
};

std::vector<Event> events_in(const std::string& text) {
  std::vector<Event> events;
  std::map<std::string, std::string> fields;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) break;  // an event that is not whole
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (!line.empty() && line[0] != ':') {
      const size_t colon = line.find(": ");
      fields[line.substr(0, colon)] = line.substr(colon + 2);
    } else if (line.empty() && !fields.empty()) {
      events.push_back({fields["id"], fields["event"], json::parse(fields["data"])});
      fields.clear();
    }
  }
  return events;
}

std::vector<std::string> types_of(const std::vector<Event>& events) {
  std::vector<std::string> types;
  for (const Event& event : events) {
    if (types.empty() || types.back() != event.type) types.push_back(event.type);
  }
  return types;
}

class Events : public ServerTest {
 protected:
  static void begin(Client& one, const std::string& path, const std::string& headers = {}) {
    one.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    const auto head = one.read(true);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.at("content-type"), "text/event-stream");
    EXPECT_EQ(head.headers.at("connection"), "close");
    EXPECT_FALSE(head.headers.contains("content-length"));
    EXPECT_FALSE(head.headers.at("x-request-id").empty());
  }
  std::vector<Event> of_job(const std::string& id, const std::string& headers = {}) {
    auto one = client();
    begin(one, "/v1/videos/" + id + "/events", headers);
    return events_in(one.read_until());
  }
  std::string submitted(const json& fields = {{"prompt", "a"}}) {
    return client().post_json("/v1/videos", fields).json()["id"];
  }
  const std::vector<std::string> kWhole{"queued", "started", "progress", "completed"};
};

TEST_F(Events, TellAJobsWholeStory) {
  start({.step_ms = 5, .steps = 6});
  const std::string id = submitted();
  const auto events = of_job(id);
  EXPECT_EQ(types_of(events), kWhole);
  int progress = 0;
  std::set<std::string> stages, ids;
  for (const Event& event : events) {
    EXPECT_EQ(event.data["id"], id);
    EXPECT_EQ(event.data["type"], event.type);
    EXPECT_TRUE(ids.insert(event.id).second) << "twice " << event.id;
    EXPECT_GE(event.data["progress"].get<int>(), progress);
    progress = event.data["progress"];
    if (event.type == "progress") {
      stages.insert(event.data["stage"]);
      EXPECT_TRUE(event.data["step"].is_number() && event.data["total_steps"].is_number());
    }
  }
  EXPECT_EQ(stages, (std::set<std::string>{"text_encode", "denoise", "vae_decode"}));
  const json& end = events.back().data;
  EXPECT_EQ(end["status"], "completed");
  EXPECT_EQ(end["url"], "http://localhost/v1/videos/" + id + "/content");
  EXPECT_EQ(types_of(of_job(id)), kWhole) << "also when it has ended";
}

TEST_F(Events, ShowTheVideoInTheMaking) {
  start({.steps = 7}, {.preview_steps = 3});
  const auto previews = [&](const json& fields) {
    std::vector<int> steps;
    for (const Event& event : of_job(submitted(fields))) {
      EXPECT_EQ(event.data.contains("preview"), event.type == "preview");
      if (event.type != "preview") continue;
      steps.push_back(event.data["step"]);
      EXPECT_TRUE(event.data["preview"].get<std::string>().starts_with("data:image/webp;base64,"));
    }
    return steps;
  };
  EXPECT_EQ(previews({{"prompt", "a"}}), (std::vector{3, 6}));
  EXPECT_EQ(previews({{"prompt", "a"}, {"preview_steps", 7}}), std::vector<int>()) << "it is ready";
  EXPECT_EQ(previews({{"prompt", "a"}, {"preview_steps", 0}}), std::vector<int>());
  expect_error(client().post_json("/v1/videos", {{"prompt", "a"}, {"preview_steps", -1}}), 400,
               "invalid_request", "preview_steps");
}

TEST_F(Events, NameTheFormatOfAPreview) {
  start();
  auto watcher = client(), one = client();
  begin(watcher, "/v1/events");
  const std::string body =
      R"({"prompt":"a","stream":true,"partial_images":1,"output_format":"png"})";
  one.send("POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body);
  const auto events = events_in(watcher.read_until("event: completed"));
  const auto preview = std::find_if(events.begin(), events.end(),
                                    [](const Event& event) { return event.type == "preview"; });
  ASSERT_NE(preview, events.end());
  EXPECT_TRUE(
      preview->data["preview"].get<std::string>().starts_with("data:image/png;base64,iVBO"));
}

TEST_F(Events, GoOnAfterTheLastOneSeen) {
  start({.step_ms = 5, .steps = 6});
  const std::string id = submitted();
  const auto all = of_job(id);
  ASSERT_GT(all.size(), 5u);
  const auto rest = of_job(id, "Last-Event-ID: " + all[3].id + "\r\n");
  ASSERT_EQ(rest.size(), all.size() - 4);
  EXPECT_EQ(rest.front().id, all[4].id);
  EXPECT_EQ(types_of(of_job(id, "Last-Event-ID: other-7\r\n")), kWhole);
  auto one = client();
  const auto over =
      one.get("/v1/videos/" + id + "/events", "Last-Event-ID: " + all.back().id + "\r\n");
  EXPECT_EQ(over.status, 204);
}

TEST_F(Events, SayWhatIsWhereTheyWereNotKept) {
  start({.step_ms = 20, .steps = 100});
  auto of_all = client();
  begin(of_all, "/v1/events");
  const std::string noisy = submitted(), id = submitted();
  const std::string seen = events_in(of_all.read_until("event: progress"))[0].id;
  client().ask("POST", "/v1/videos/" + id + "/cancel");
  for (size_t i = 0; i <= EventFeed::kKept; ++i) jobs_->progress(noisy, {});
  const std::string header = "Last-Event-ID: " + seen + "\r\n";
  const auto now = of_job(id, header);
  ASSERT_EQ(now.size(), 1u);
  EXPECT_EQ(now[0].type, "failed");
  auto late = client();
  begin(late, "/v1/events", header);
  const std::string rest = late.read_until("event: progress");
  EXPECT_LT(rest.find("event: lost\n"), rest.find("event: progress"));
}

TEST_F(Events, SayHowAJobEnded) {
  start({.step_ms = 20, .steps = 100, .fail_step = 50});
  const std::string first = submitted(), second = submitted();
  auto one = client();
  one.ask("POST", "/v1/videos/" + second + "/cancel");
  const auto cancelled = of_job(second);
  EXPECT_EQ(types_of(cancelled), (std::vector<std::string>{"queued", "failed"}));
  EXPECT_EQ(cancelled.back().data["status"], "failed");
  EXPECT_EQ(cancelled.back().data["error"]["code"], "cancelled");
  EXPECT_EQ(of_job(first).back().type, "failed");
  expect_error(one.get("/v1/videos/none/events"), 404, "not_found", "id");
}

TEST_F(Events, OfAllJobsComeAsTheyHappen) {
  start();
  auto one = client();
  finished_video(one);
  auto watcher = client();
  begin(watcher, "/v1/events");
  const std::string id = submitted();
  auto events = events_in(watcher.read_until("event: completed"));
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.front().type, "queued");
  for (const Event& event : events) EXPECT_EQ(event.data["id"], id);

  auto late = client();
  begin(late, "/v1/events", "Last-Event-ID: " + events.front().id + "\r\n");
  const auto rest = events_in(late.read_until("event: completed"));
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(rest.front().type, "started");
}

TEST_F(Events, ManyWatchersHoldNoThread) {
  start({.step_ms = 10, .steps = 10}, {.threads = 2});
  const std::string id = submitted();
  std::vector<Client> watchers;
  for (int i = 0; i < 60; ++i) {
    watchers.push_back(client());
    begin(watchers.back(), i % 2 == 0 ? "/v1/videos/" + id + "/events" : "/v1/events");
  }
  auto quick = client();
  EXPECT_EQ(quick.get("/health").status, 200);
  const std::string next = submitted();
  for (int i = 0; i < 60; i += 2) {
    EXPECT_EQ(events_in(watchers[size_t(i)].read_until()).back().type, "completed");
  }
  for (int i = 1; i < 60; i += 2) {
    EXPECT_NE(watchers[size_t(i)].read_until(next), "");
  }
  watchers.clear();
  EXPECT_TRUE(soon([&] {
    return quick.get("/metrics").body.find("serve_http_connections 1\n") != std::string::npos;
  })) << "their connections end";
}

TEST_F(Events, EndWithTheServer) {
  start({.step_ms = 1000, .steps = 100});
  auto one = client();
  begin(one, "/v1/videos/" + submitted() + "/events");
  one.read_until("event: queued");
  server_->stop();
  one.read_until();
  EXPECT_TRUE(one.closed());
}

TEST_F(Events, EndWithWhatHappenedBeforeTheServerStopped) {
  start({.step_ms = 5, .steps = 20});
  const std::string id = submitted();
  auto one = client();
  begin(one, "/v1/videos/" + id + "/events");
  one.read_until("event: started");
  ASSERT_EQ(jobs_->wait(id, std::chrono::seconds(20)).status, jobs::Status::Completed);
  server_->stop();
  EXPECT_NE(one.read_until().find("event: completed"), std::string::npos);
}

TEST_F(Events, HeadHasNoBody) {
  start();
  auto one = client();
  const auto head = one.ask("HEAD", "/v1/events");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-type"), "text/event-stream");
  EXPECT_EQ(one.get("/health").status, 200);
}

TEST(EventFeed, KeepsTheNewest) {
  store::MemoryJobStore jobs(10);
  const EventFeed feed(jobs);
  gen::FakeGenerator generator;
  jobs::JobSpec spec;
  gen::VideoRequest request;
  request.prompt = "a";
  spec.request = generator.check(request);
  const std::string first = jobs.submit(spec).job.id, second = jobs.submit(spec).job.id;
  uint64_t at = 0;
  EXPECT_EQ(feed.next(at, second)->number, 2u);
  EXPECT_FALSE(feed.next(at, second));
  std::stop_source stop;
  jobs.take(stop.get_token());
  for (size_t i = 0; i < EventFeed::kKept; ++i) jobs.progress(first, {});
  const auto lost_after = [&](uint64_t number) {
    bool lost = false;
    feed.next(number, "", &lost);
    return lost;
  };
  EXPECT_TRUE(lost_after(2));
  EXPECT_FALSE(lost_after(feed.newest() - EventFeed::kKept));
  at = 2;
  EXPECT_EQ(feed.next(at, "")->type, "progress");
  EXPECT_EQ(at, feed.newest() - EventFeed::kKept + 1);
  EXPECT_EQ(feed.number_of(feed.name_of(7)), 7u);
  for (const char* bad : {"", "7", "x-7"}) EXPECT_FALSE(feed.number_of(bad)) << bad;
  EXPECT_FALSE(feed.number_of(feed.name_of(feed.newest() + 1)));
  EXPECT_FALSE(feed.number_of(feed.name_of(7) + "x"));
}

}  // namespace
}  // namespace reel::http
