#include <set>

#include "api.h"
#include "gate.h"
#include "server_fixture.h"
#include "text.h"

namespace reel::http {
namespace {

using json = nlohmann::json;

class Service : public ServerTest {};

TEST_F(Service, TellsWhatItServes) {
  start();
  auto one = client();
  for (const char* path :
       {"/", "/v1", "/health", "/health_generate", "/liveness", "/livez", "/healthz", "/ping",
        "/readyz", "/stats", "/v1/capabilities", "/openapi.json", "/health/live", "/health/ready",
        "/v1/health/live", "/v1/health/ready", "/version"}) {
    EXPECT_EQ(one.get(path).status, 200) << path;
    EXPECT_EQ(one.ask("HEAD", path).status, 200) << path;
  }
  EXPECT_EQ(one.get("/health").json(), json({{"status", "ok"}}));
  const json card = one.get("/v1/models").json()["data"][0];
  EXPECT_EQ(card["object"], "model");
  const std::string id = card["id"];
  EXPECT_EQ(id, generator_->describe().model);
  EXPECT_EQ(one.get("/v1/models/" + id).json(), card);
  expect_error(one.get("/v1/models/Wan-AI/none"), 404, "model_not_found", "model");
  EXPECT_EQ(one.get("/v1/model_info").json()["model_path"], generator_->describe().model_path);
  EXPECT_EQ(one.get("/model_info").json()["model_type"], "diffusion");
  EXPECT_EQ(one.get("/server_info").json()["served_model_name"], id);
}

TEST_F(Service, TellsWhatTheModelCanDo) {
  start({.steps = 6, .frames = 9, .width = 96, .size_multiple = 8});
  auto one = client();
  const json can = one.get("/v1/capabilities").json();
  EXPECT_EQ(can["model"], "fake");
  EXPECT_EQ(can["sizes"], json({"96x48"}));
  EXPECT_EQ(can["defaults"]["size"], "96x48");
  EXPECT_EQ(can["defaults"]["num_frames"], 9);
  EXPECT_EQ(can["defaults"]["num_inference_steps"], 6);
  EXPECT_EQ(can["limits"]["size_multiple"], 8);
  const auto create = [&](const char* field, const json& value) {
    return one.post_json("/v1/videos", {{"prompt", "a"}, {field, value}, {"num_frames", 1}}).status;
  };
  for (const auto& [limit, field] : {std::pair{"max_fps", "fps"},
                                     {"max_inference_steps", "num_inference_steps"},
                                     {"max_outputs", "n"}}) {
    const int most = can["limits"][limit];
    EXPECT_EQ(create(field, most), 200) << limit;
    EXPECT_EQ(create(field, most + 1), 400) << limit;
  }
}

TEST_F(Service, CountsJobs) {
  start({.step_ms = 50, .steps = 1000});
  auto one = client();
  for (int i = 0; i < 3; ++i) one.post_json("/v1/videos", {{"prompt", "a"}});
  EXPECT_TRUE(soon([&] {
    return one.get("/stats").json()["jobs"]["video"] == json({{"queued", 2}, {"in_progress", 1}});
  }));
  one.post_json("/v1/videos", {{"prompt", "a"}, {"priority", 1}});
  EXPECT_TRUE(soon([&] { return one.get("/stats").json()["queue"]["preemptions"] == 1; }));
  EXPECT_GT(one.get("/stats").json()["queue"]["oldest_s"], 0);
  const std::string metrics = one.get("/metrics").body;
  EXPECT_NE(metrics.find("serve_preemptions_total 1"), std::string::npos);
  EXPECT_EQ(metrics.find("serve_oldest_queued_seconds 0\n"), std::string::npos);
  EXPECT_NE(metrics.find("serve_oldest_queued_seconds "), std::string::npos);
}

TEST_F(Service, SaysWhatWanCannotDo) {
  start();
  auto one = client();
  for (const char* path : {"/v1/videos/characters", "/v1/videos/characters/c1", "/v1/videos/edits",
                           "/v1/videos/extensions"}) {
    const auto reply = one.post_json(path, {{"prompt", "a"}});
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_NE(reply.body.find("Wan models cannot do that"), std::string::npos) << reply.body;
  }
  EXPECT_EQ(one.get("/v1/videos/editsx").status, 404);
}

TEST_F(Service, DescribesEveryRoute) {
  start();
  auto one = client();
  const json document = one.get("/openapi.json").json();
  EXPECT_EQ(document["openapi"], "3.1.0");
  std::set<std::string> described;
  for (const auto& [path, item] : document["paths"].items()) {
    for (const char* method : {"get", "post", "delete"}) {
      if (item.contains(method)) described.insert(method + path);
    }
  }
  Metrics metrics;
  Api api({}, {*jobs_, *blobs_, *generator_, metrics, *inputs_});
  Router router;
  add_all_routes(router, api);
  std::set<std::string> routed;
  for (const auto& [method, pattern] : router.routes()) {
    std::string path = to_lower(method) + pattern;
    if (const size_t rest = path.find("*}"); rest != std::string::npos) path.erase(rest, 1);
    routed.insert(path);
  }
  EXPECT_EQ(described, routed);
}

TEST_F(Service, PassesTheTraceOn) {
  start();
  auto one = client();
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(one.get("/health", "traceparent: " + trace + "\r\n").headers.at("traceparent"), trace);
  for (const std::string& bad :
       {trace + "0", trace.substr(1), "00-" + std::string(32, '0') + trace.substr(35),
        trace.substr(0, 36) + std::string(16, '0') + "-01", std::string("ff") + trace.substr(2)}) {
    EXPECT_FALSE(one.get("/health", "traceparent: " + bad + "\r\n").headers.contains("traceparent"))
        << bad;
  }
}

TEST_F(Service, TellsItsTimes) {
  start();
  auto one = client();
  EXPECT_TRUE(one.get("/health").headers.at("server-timing").starts_with("app;dur="));
  const std::string path = "/v1/videos/" + finished_video(one)["id"].get<std::string>();
  const std::string times = one.get(path).headers.at("server-timing");
  for (const char* part : {"text_encode;dur=", "denoise;dur=", "vae_decode;dur=", "app;dur="}) {
    EXPECT_NE(times.find(part), std::string::npos) << times;
  }
}

TEST_F(Service, ExposesMetrics) {
  start();
  auto one = client();
  one.get("/v1/videos/none");
  EXPECT_EQ(one.ask("HEAD", "/metrics").status, 200);
  for (const char* path : {"/metrics", "/v1/metrics"}) {
    const auto metrics = one.get(path);
    EXPECT_EQ(metrics.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_NE(
        metrics.body.find("serve_http_requests_total{code=\"404\",route=\"/v1/videos/{id}\"} 1"),
        std::string::npos)
        << metrics.body;
    EXPECT_NE(metrics.body.find("serve_http_connections 1"), std::string::npos);
  }
}

TEST_F(Service, GivesEveryReplyAnId) {
  start();
  auto one = client();
  EXPECT_EQ(one.get("/health", "X-Request-ID: a.B-9_\r\n").headers.at("x-request-id"), "a.B-9_");
  const std::string longest(128, 'x');
  EXPECT_EQ(one.get("/none", "x-request-id: " + longest + "\r\n").headers.at("x-request-id"),
            longest);
  for (const std::string& bad :
       {std::string("a b"), std::string("\""), longest + "x", std::string()}) {
    const auto id = one.get("/health", "X-Request-ID: " + bad + "\r\n").headers.at("x-request-id");
    EXPECT_TRUE(id.starts_with("req_")) << id;
  }
}

TEST_F(Service, AnswersUnknownRoutesInOneShape) {
  start();
  auto one = client();
  for (const char* path : {"/none", "/v1/chat/completions", "/v1/videos/a%2Fb", "/v1/videos/../x",
                           "/get_server_info"}) {
    expect_error(one.get(path), 404, "not_found");
  }
  for (const char* path : {"/%00", "/v1/videos/%zz", "/%4"}) {
    expect_error(client().get(path), 400, "invalid_request");
  }
  expect_error(one.post_json("/v1/chat/completions", {{"a", 1}}), 404, "not_found");
  const auto wrong = one.ask("PUT", "/v1/videos");
  expect_error(wrong, 405, "method_not_allowed");
  EXPECT_EQ(wrong.headers.at("allow"), "POST, GET, HEAD");
  EXPECT_EQ(one.ask("OPTIONS", "/v1/videos").headers.at("allow"), "POST, GET, HEAD");
  one.send("GET / HTTP/1.1\r\n\r\n");
  expect_error(one.read(), 400, "invalid_request");
  EXPECT_TRUE(one.closed());
}

TEST_F(Service, SaysThatTheModelIsLoading) {
  start({.load_ms = 1500});
  auto one = client();
  EXPECT_EQ(one.get("/liveness").status, 200);
  for (const char* path :
       {"/health", "/v1", "/v1/models", "/v1/chat/completions", "/v1/videos/x"}) {
    const auto response = one.get(path);
    expect_error(response, 503, "model_loading");
    EXPECT_EQ(response.headers.at("retry-after"), "5");
    EXPECT_EQ(response.headers.at("x-should-retry"), "true");
  }
  EXPECT_EQ(one.get("/v1/metrics").status, 200);
  EXPECT_EQ(one.get("/v1/health/live").status, 200);
  EXPECT_TRUE(soon([&] { return one.get("/health").status == 200; }));
  EXPECT_EQ(one.get("/v1/chat/completions").status, 404);
  EXPECT_EQ(finished_video(one)["status"], "completed");
}

TEST_F(Service, LetsListedPagesReadThatTheModelIsLoading) {
  start({.load_ms = 1500}, {.cors_origins = {"https://app.example"}});
  auto one = client();
  const std::string origin = "Origin: https://app.example\r\n";
  const auto may =
      one.ask("OPTIONS", "/v1/videos", origin + "Access-Control-Request-Method: POST\r\n");
  EXPECT_EQ(may.status, 204);
  EXPECT_EQ(may.headers.at("access-control-allow-methods"), "POST, GET, HEAD");
  expect_error(one.ask("POST", "/v1/videos", origin, R"({"prompt":"a"})"), 503, "model_loading");
}

TEST_F(Service, SaysThatTheModelFailed) {
  start({.fail_load = true});
  auto one = client();
  EXPECT_TRUE(soon([&] { return one.get("/health").json()["error"]["code"] == "model_failed"; }));
  expect_error(one.get("/health"), 503, "model_failed");
  expect_error(one.post_json("/v1/videos", {{"prompt", "a"}}), 503, "model_failed");
  // What waits for a server takes any answer but 5xx for readiness.
  for (const char* path : {"/v1/models", "/v1/chat/completions", "/readyz"}) {
    expect_error(one.get(path), 503, "model_failed");
  }
  EXPECT_EQ(one.get("/v1/videos").status, 200) << "what was made remains";
  EXPECT_EQ(one.get("/stats").json()["status"], "failed");
}

TEST_F(Service, DrainsSubmitsOnly) {
  start();
  auto one = client();
  const json video = finished_video(one);
  server_->begin_drain();
  const auto refused = one.post_json("/v1/videos", {{"prompt", "a"}});
  expect_error(refused, 503, "unavailable");
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  expect_error(one.post_json("/v1/images/generations", {{"prompt", "a"}}), 503, "unavailable");
  EXPECT_EQ(one.get("/v1/videos/" + video["id"].get<std::string>()).status, 200);
  EXPECT_EQ(one.get("/v1/videos/" + video["id"].get<std::string>() + "/content").status, 200);
  EXPECT_EQ(one.get("/health").status, 200);
  EXPECT_EQ(one.get("/readyz").status, 503);
}

TEST_F(Service, RefusesForeignPages) {
  start();
  auto one = client();
  const auto with = [&](const std::string& method, const std::string& headers) {
    one.send(method + " /v1/videos/x/cancel HTTP/1.1\r\n" + headers + "\r\n");
    return one.read(method == "HEAD").status;
  };
  for (const char* host : {"localhost", "localhost:30000", "127.0.0.1:1", "[::1]", "[::1]:80"}) {
    EXPECT_EQ(with("POST", "Host: " + std::string(host) + "\r\n"), 404) << host;
  }
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"}) {
    EXPECT_EQ(with("POST", "Host: " + std::string(host) + "\r\n"), 403) << host;
  }
  EXPECT_EQ(with("POST", "Host: localhost:1\r\nOrigin: http://localhost:1\r\n"), 404);
  for (const char* origin :
       {"http://evil.example", "http://localhost:2", "null", "http://localhost:1.evil"}) {
    EXPECT_EQ(with("POST", "Host: localhost:1\r\nOrigin: " + std::string(origin) + "\r\n"), 403)
        << origin;
  }
}

TEST_F(Service, KnowsOtherNamesOfItsOwn) {
  start({},
        {.public_url = "https://videos.example:8443/v", .allowed_hosts = {"Box.local", "fe80::1"}});
  auto one = client();
  const auto get = [&](const std::string& host) {
    one.send("GET /health HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return one.read();
  };
  for (const char* host : {"localhost", "videos.example", "VIDEOS.example:1", "box.local:30000",
                           "[fe80::1]:80", "[FE80::1]"}) {
    EXPECT_EQ(get(host).status, 200) << host;
  }
  for (const char* host : {"evil.example", "local", "x.box.local", "box.local.", "[fe80::2]"}) {
    expect_error(get(host), 403, "host_not_allowed", "host");
  }
}

TEST_F(Service, ChecksNamesWhereOthersReachItIfSomeAreListed) {
  start();
  const auto refused = [&](const Options& options, const std::string& host) {
    Metrics metrics;
    const Api api(options, {*jobs_, *blobs_, *generator_, metrics, *inputs_});
    const Cors cors({});
    Request request;
    request.method = "GET";
    request.headers = {{"host", host}};
    return Gate(api, cors).refusal(request, Access::Key).has_value();
  };
  EXPECT_FALSE(refused({.host = "0.0.0.0"}, "anything.example"));
  EXPECT_FALSE(refused({.host = "0.0.0.0", .allowed_hosts = {"videos.example"}}, "videos.example"));
  EXPECT_TRUE(refused({.host = "0.0.0.0", .allowed_hosts = {"videos.example"}}, "other.example"));
  EXPECT_TRUE(refused({.host = "127.0.0.1"}, "other.example"));
}

TEST_F(Service, RefusesPagesOfOtherSitesByWhateverNameItIsReached) {
  start();
  const auto refused = [&](const Options& options, const std::string& origin) {
    Metrics metrics;
    const Api api(options, {*jobs_, *blobs_, *generator_, metrics, *inputs_});
    const Cors cors({"https://app.example"});
    Request request;
    request.method = "POST";
    request.headers = {{"host", "10.0.0.7:30000"}, {"origin", origin}};
    return Gate(api, cors).refusal(request, Access::Key).has_value();
  };
  EXPECT_TRUE(refused({.host = "0.0.0.0"}, "http://evil.example"));
  EXPECT_FALSE(refused({.host = "0.0.0.0"}, "http://10.0.0.7:30000"));
  EXPECT_FALSE(refused({.host = "0.0.0.0"}, "https://app.example"));
  EXPECT_FALSE(refused({.host = "0.0.0.0", .public_url = "https://videos.example"},
                       "https://videos.example"));
}

TEST_F(Service, IsClosedToPagesOfOtherSites) {
  start();
  auto one = client();
  const auto reply = one.get("/health", "Origin: https://app.example\r\n");
  EXPECT_EQ(reply.status, 200);
  for (const auto& [name, value] : reply.headers) EXPECT_FALSE(name.starts_with("access-")) << name;
  EXPECT_FALSE(reply.headers.contains("vary"));
  expect_error(one.ask("OPTIONS", "/v1/videos",
                       "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"),
               403, "origin_not_allowed", "origin");
}

TEST_F(Service, IsOpenToPagesOfListedSites) {
  keys_.add("", "sk-1");
  start({}, {.cors_origins = {"https://app.example", "http://other.example:81"}});
  auto one = client();
  for (const std::string origin : {"https://app.example", "http://other.example:81"}) {
    const auto may = one.ask("OPTIONS", "/v1/videos",
                             "Origin: " + origin +
                                 "\r\nAccess-Control-Request-Method: POST\r\n"
                                 "Access-Control-Request-Headers: authorization, x-a\r\n");
    EXPECT_EQ(may.status, 204);
    EXPECT_EQ(may.headers.at("access-control-allow-origin"), origin);
    EXPECT_EQ(may.headers.at("access-control-allow-methods"), "POST, GET, HEAD");
    EXPECT_EQ(may.headers.at("access-control-allow-headers"), "authorization, x-a");
    EXPECT_EQ(may.headers.at("vary"), "Origin");
    for (const std::string key : {"Bearer sk-1", "Bearer wrong"}) {
      const auto made = one.ask("POST", "/v1/videos",
                                "Content-Type: application/json\r\nOrigin: " + origin +
                                    "\r\nAuthorization: " + key + "\r\n",
                                R"({"prompt": "a"})");
      EXPECT_EQ(made.status, key == "Bearer sk-1" ? 200 : 401);
      EXPECT_EQ(made.headers.at("access-control-allow-origin"), origin) << "errors are read too";
      const std::string readable = made.headers.at("access-control-expose-headers");
      for (const char* name : {"x-request-id", "openai-poll-after-ms", "Location"}) {
        EXPECT_NE(readable.find(name), std::string::npos) << name;
      }
      EXPECT_FALSE(made.headers.contains("access-control-allow-credentials"));
    }
  }
  for (const char* origin : {"https://app.example.evil", "http://app.example", "null", ""}) {
    const auto reply = one.get("/health", "Origin: " + std::string(origin) + "\r\n");
    EXPECT_FALSE(reply.headers.contains("access-control-allow-origin")) << origin;
    EXPECT_EQ(reply.headers.at("vary"), "Origin");
  }
}

TEST_F(Service, TakesDataUrisOfSeveralMebibytes) {
  start();
  auto one = client();
  const std::string uri = "data:image/png;base64," + std::string(3 << 20, 'A');
  const auto response = one.post_json("/v1/videos", {{"prompt", "a"}, {"input_reference", uri}});
  expect_error(response, 400, "invalid_request", "input_reference");
}

}  // namespace
}  // namespace reel::http
