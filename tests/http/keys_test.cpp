#include <gmock/gmock.h>

#include "reel/base/error.h"
#include "server_fixture.h"
#include "temporary_folder.h"
#include "url_signer.h"

namespace reel::http {
namespace {

using json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

TEST(ApiKeys, AreReadFromAFile) {
  const test::TemporaryFolder folder;
  const auto keys = ApiKeys::read(folder.write("keys",
                                               "# of the office\n"
                                               "\n"
                                               "alice:sk-1 # hers\r\n"
                                               "  sk-2\t\n"
                                               "bob:a:b#c"));
  EXPECT_EQ(keys.size(), 3u);
  EXPECT_EQ(keys.name_of("sk-1"), "alice");
  EXPECT_EQ(keys.name_of("a:b#c"), "bob");
  EXPECT_EQ(keys.name_of("sk-2"), "key-bbaae8c99d8c") << "stays the same";
  for (const char* none : {"", "sk-", "sk-11", "alice", "alice:sk-1", "SK-1"}) {
    EXPECT_FALSE(keys.name_of(none)) << none;
  }
}

TEST(ApiKeys, OfABrokenFileAreRefusedWithTheLine) {
  const test::TemporaryFolder folder;
  const auto fault = [](const std::string& path) -> std::string {
    try {
      ApiKeys::read(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      return error.what();
    }
    return "none";
  };
  for (const auto& [text, why] :
       {std::pair{"", "found none"},
        {"# only\n\n", "found none"},
        {"alice:canary\nbob:canary\n", "line 2: this key is there already"},
        {"alice:canary\nalice:other\n", "line 2: the name 'alice' is there already"},
        {"canary canary\n", "line 1: a key is"},
        {"\nalice:\n", "line 2: a key is"},
        {":canary\n", "line 1: a colon without a name"},
        {"al ice:canary\n", "line 1: a name is"},
        {"-a:canary\n", "line 1: a name is"},
        {"caf\xc3\xa9-canary\n", "line 1: a key is"}}) {
    EXPECT_THAT(fault(folder.write("keys", text)), HasSubstr(why)) << text;
    EXPECT_THAT(fault(folder.write("keys", text)), Not(HasSubstr("canary"))) << text;
  }
  EXPECT_THAT(fault(folder / "none"), HasSubstr("cannot be opened"));
  EXPECT_THAT(fault(folder.path()), HasSubstr("expected a file"));
  EXPECT_THAT(fault(folder.write("keys", std::string(513, 'x'))), HasSubstr("512"));
}

TEST(UrlSigner, SignsOnePathUntilASecond) {
  const UrlSigner signer;
  using Verdict = UrlSigner::Verdict;
  const std::string query = signer.query("/a", 100), sig = query.substr(query.find("sig=") + 4);
  EXPECT_TRUE(query.starts_with("exp=100&sig="));
  EXPECT_EQ(signer.judge("/a", "100", sig, 99), Verdict::Good);
  EXPECT_EQ(signer.judge("/a", "100", sig, 100), Verdict::Expired);
  for (const auto& [path, exp, given] :
       {std::tuple{"/b", "100", sig},
        {"/a", "101", sig},
        {"/a", "0100", sig},
        {"/a", "", sig},
        {"/a", "100", ""},
        {"/a", "100", sig.substr(1)},
        {"/a", "100", (sig[0] == '0' ? "1" : "0") + sig.substr(1)}}) {
    EXPECT_EQ(signer.judge(path, exp, given, 99), Verdict::Forged) << path << exp << given;
  }
  EXPECT_EQ(UrlSigner().judge("/a", "100", sig, 99), Verdict::Forged) << "another process";
}

class Keys : public ServerTest {
 protected:
  void SetUp() override {
    keys_.add("alice", "sk-alice");
    keys_.add("bob", "sk-bob");
  }

  static constexpr const char* kAlice = "Authorization: Bearer sk-alice\r\n";
  static constexpr const char* kBob = "Authorization: bearer sk-bob\r\n";

  static json create(Client& one, const std::string& who, const std::string& more = {}) {
    const auto made =
        one.ask("POST", "/v1/videos", who + more + "Content-Type: application/json\r\n",
                R"({"prompt":"a"})");
    EXPECT_EQ(made.status, 200) << made.body;
    return made.json();
  }
  json finished(Client& one, const std::string& who) {
    json video = create(one, who);
    const std::string path = "/v1/videos/" + video["id"].get<std::string>();
    EXPECT_TRUE(soon([&] {
      video = one.get(path, who).json();
      return video["status"] == "completed";
    }));
    return video;
  }
  static std::string path_of(const json& video) {
    const std::string url = video["url"];
    return url.substr(url.find("/v1/"));
  }
};

TEST_F(Keys, AreAskedForButByProbesAndMetrics) {
  start();
  auto one = client();
  for (const char* path : {"/health", "/health_generate", "/liveness", "/livez", "/healthz",
                           "/ping", "/readyz", "/health/live", "/health/ready", "/v1/health/live",
                           "/v1/health/ready", "/metrics", "/v1/metrics"}) {
    EXPECT_EQ(one.get(path).status, 200) << path;
    EXPECT_EQ(one.ask("HEAD", path).status, 200) << path;
  }
  std::set<std::string> bodies;
  for (const char* headers :
       {"", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
        "Authorization: Bearer sk-carol\r\n", "Authorization: Bearer sk-alicee\r\n",
        "Authorization: Bearer alice:sk-alice\r\n", "Authorization: Basic sk-alice\r\n",
        "Authorization: sk-alice\r\n", "X-Api-Key: sk-alice\r\n"}) {
    for (const char* path : {"/v1/videos", "/v1/videos/x", "/v1/videos/x/content", "/v1/events",
                             "/v1/models", "/v1", "/", "/stats", "/openapi.json", "/none"}) {
      const auto refused = one.get(path, headers);
      expect_error(refused, 401, "invalid_api_key");
      EXPECT_EQ(refused.headers.at("www-authenticate"), "Bearer realm=\"reel\"");
      EXPECT_EQ(refused.json()["error"]["type"], "authentication_error");
      bodies.insert(refused.body);
    }
  }
  EXPECT_EQ(bodies.size(), 1u) << "tells a missing key from a wrong one";
  for (const char* who : {kAlice, kBob}) EXPECT_EQ(one.get("/v1/models", who).status, 200);
  EXPECT_EQ(one.ask("OPTIONS", "/v1/videos").status, 200);
}

TEST_F(Keys, SeeTheirOwnJobsOnly) {
  start();
  auto one = client();
  const json video = finished(one, kAlice);
  const std::string path = "/v1/videos/" + video["id"].get<std::string>();
  create(one, kBob);
  for (const auto& [method, tail] : {std::pair{"GET", ""},
                                     {"HEAD", ""},
                                     {"GET", "/content"},
                                     {"GET", "/events"},
                                     {"POST", "/cancel"},
                                     {"POST", "/remix"},
                                     {"DELETE", ""}}) {
    const auto refused = one.ask(method, path + tail, kBob);
    if (method == std::string("HEAD")) {
      EXPECT_EQ(refused.status, 404);
    } else {
      expect_error(refused, 404, "not_found", "id");
    }
  }
  for (const char* who : {kAlice, kBob}) {
    const json listed = one.get("/v1/videos", who).json();
    EXPECT_EQ(listed["data"].size(), 1u);
    EXPECT_EQ(listed["data"][0]["id"] == video["id"], who == kAlice);
  }
  EXPECT_EQ(one.get("/v1/videos?after=" + video["id"].get<std::string>() + "&order=asc", kBob)
                .json()["data"],
            json::array());
  EXPECT_EQ(one.get(path, kAlice).json()["status"], "completed");
  EXPECT_EQ(one.ask("DELETE", path, kAlice).status, 200);
}

TEST_F(Keys, AreAskedForBeforeTheBody) {
  start();
  const std::string rest = "Host: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n";
  const std::string ask = " HTTP/1.1\r\n" + rest;
  auto stranger = client(), lost = client(), alice = client();
  stranger.send("POST /v1/videos" + ask + "\r\n");
  expect_error(stranger.read(), 401, "invalid_api_key");
  lost.send("POST /v1/nothing" + ask + kAlice + "\r\n");
  const auto nowhere = lost.read();
  expect_error(nowhere, 404, "not_found");
  EXPECT_EQ(nowhere.headers.at("connection"), "close");
  alice.send("POST /v1/videos" + ask + kAlice + "\r\n");
  EXPECT_EQ(alice.read().status, 100);
}

TEST_F(Keys, HaveIdempotencyKeysOfTheirOwn) {
  start();
  auto one = client();
  const std::string key = "Idempotency-Key: 1\r\n";
  const json first = create(one, kAlice, key);
  EXPECT_EQ(create(one, kAlice, key)["id"], first["id"]);
  EXPECT_NE(create(one, kBob, key)["id"], first["id"]);
}

TEST_F(Keys, AreToldOfTheirOwnEventsOnly) {
  start();
  auto watcher = client(), one = client();
  watcher.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n" + std::string(kBob) + "\r\n");
  watcher.read_until("\n\n");
  const json hers = finished(one, kAlice), his = finished(one, kBob);
  const std::string told = watcher.read_until("event: completed");
  EXPECT_THAT(told, HasSubstr(his["id"].get<std::string>()));
  EXPECT_THAT(told, Not(HasSubstr(hers["id"].get<std::string>())));
}

TEST_F(Keys, EndTheirStreamsWhenTheyGo) {
  start();
  auto watcher = client(), one = client();
  watcher.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n" + std::string(kBob) + "\r\n");
  watcher.read_until("\n\n");
  ApiKeys others;
  others.add("alice", "sk-new");
  server_->use(others);
  finished(one, "Authorization: Bearer sk-new\r\n");
  jobs::JobSpec his;
  his.owner = "bob";
  jobs_->submit(his);
  EXPECT_THAT(watcher.read_until(), Not(HasSubstr("event:")));
}

TEST_F(Keys, AreChangedWhileTheServerRuns) {
  start();
  auto one = client();
  const json video = finished(one, kAlice);
  ApiKeys other;
  other.add("alice", "sk-new");
  server_->use(other);
  const std::string path = "/v1/videos/" + video["id"].get<std::string>();
  EXPECT_EQ(one.get(path, kAlice).status, 401);
  EXPECT_EQ(one.get(path, kBob).status, 401);
  EXPECT_EQ(one.get(path, "Authorization: Bearer sk-new\r\n").status, 200);
}

TEST_F(Keys, AreNotNeededWithASignedUrl) {
  start();
  auto one = client();
  const json video = finished(one, kAlice);
  const std::string path = path_of(video);
  const auto whole = one.get(path);
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, one.get(path.substr(0, path.find('?')), kAlice).body);
  EXPECT_EQ(one.ask("HEAD", path).status, 200);
  const auto part = one.get(path, "Range: bytes=0-3\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, whole.body.substr(0, 4));
  EXPECT_EQ(one.get(path + "&variant=video").status, 200);
  EXPECT_EQ(one.get(path, "Authorization: Bearer sk-wrong\r\n").status, 200);
  EXPECT_EQ(one.get(path, kBob).status, 200) << "whoever follows it";

  const size_t exp = path.find("exp=") + 4, sig = path.find("sig=") + 4;
  std::string later = path, forged = path;
  later[exp] = '9';
  forged[sig] = forged[sig] == '0' ? '1' : '0';
  const json other = finished(one, kBob);
  const std::string stolen =
      path_of(other).substr(0, path_of(other).find('?')) + path.substr(path.find('?'));
  for (const std::string& bad : {later, forged, path.substr(0, sig + 10), stolen}) {
    expect_error(one.get(bad), 403, "url_not_signed", "sig");
  }
  expect_error(one.get(path.substr(0, sig)), 401, "invalid_api_key");
  const std::string query = path.substr(path.find('?'));
  const std::string job = "/v1/videos/" + video["id"].get<std::string>();
  expect_error(one.get(job + query), 401, "invalid_api_key");
  expect_error(one.ask("DELETE", job + query), 401, "invalid_api_key");
}

TEST_F(Keys, SignUrlsThatExpire) {
  start({}, {.public_url = "https://videos.example/", .url_life = std::chrono::seconds(-1000)});
  auto one = client();
  const json video = finished(one, kAlice);
  EXPECT_TRUE(video["url"].get<std::string>().starts_with("https://videos.example/v1/videos/"));
  expect_error(one.get(path_of(video)), 403, "url_expired", "exp");
  EXPECT_EQ(one.get(path_of(video), kAlice).status, 200);
}

TEST_F(Keys, SignTheUrlsOfImages) {
  start();
  auto one = client();
  const auto made = one.ask("POST", "/v1/images/generations",
                            std::string(kAlice) + "Content-Type: application/json\r\n",
                            R"({"prompt":"a","n":2,"response_format":"url"})");
  ASSERT_EQ(made.status, 200) << made.body;
  std::set<std::string> bodies;
  const json data = made.json()["data"];
  for (const json& image : data) {
    const auto got = one.get(path_of(image));
    EXPECT_EQ(got.status, 200);
    bodies.insert(got.body);
  }
  EXPECT_EQ(bodies.size(), 2u);
}

}  // namespace
}  // namespace reel::http
