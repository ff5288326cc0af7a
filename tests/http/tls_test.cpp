#include <gmock/gmock.h>

#include "error_reply.h"
#include "event_loop.h"
#include "reel/base/error.h"
#include "server_fixture.h"
#include "temporary_folder.h"
#include "tls_client.h"

namespace reel::http {
namespace {

using json = nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

class Tls : public ServerTest {
 protected:
  void SetUp() override { signal(SIGPIPE, SIG_IGN); }

  void start_tls(const gen::FakeOptions& fake = {}, Options options = {}) {
    options.certificate = certificate("reel");
    start(fake, std::move(options));
  }
  /// A new one at every call.
  Certificate certificate(const std::string& name) {
    write_certificate(certificates_.path(), name);
    return {certificates_ / (name + ".crt"), certificates_ / (name + ".key")};
  }
  void wait_until_ready() override {
    EXPECT_TRUE(soon([&] { return tls().get("/health").status == 200; }));
  }
  TlsClient tls(const TlsClient::Options& options = {}) { return {server_->port(), options}; }

  test::TemporaryFolder certificates_;
};

TEST_F(Tls, AnswersAllThatIsAsked) {
  start_tls();
  auto one = tls();
  const json video = finished_video(one);
  EXPECT_THAT(video["url"].get<std::string>(), StartsWith("https://localhost/v1/videos/"));
  EXPECT_EQ(one.get("/none").status, 404);
  const std::string uri = "data:image/png;base64," + std::string(3 << 20, 'A');
  expect_error(one.post_json("/v1/videos", {{"prompt", "a"}, {"input_reference", uri}}), 400,
               "invalid_request", "input_reference");
  std::string many;
  for (int i = 0; i < 100; ++i) many += "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
  one.send(many);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.read().status, 200);
}

TEST_F(Tls, SendsFilesWholeAndInRanges) {
  start_tls({.frames = 81, .width = 256, .height = 256});  // of 16 MB: more than any buffer
  auto one = tls({.receive_buffer = 4096});
  const std::string path =
      "/v1/videos/" + finished_video(one)["id"].get<std::string>() + "/content";
  const auto whole = one.get(path);
  EXPECT_EQ(whole.body.size(), 81u * 256 * 256 * 3);
  EXPECT_EQ(one.get(path, "Range: bytes=1000000-9000000\r\n").body,
            whole.body.substr(1000000, 8000001));
  one.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");  // and never reads it
  EXPECT_EQ(tls().get("/health").status, 200);
}

TEST_F(Tls, HoldsNoThreadForWhoWaits) {
  start_tls({.step_ms = 100, .steps = 1000}, {.threads = 1});
  std::vector<TlsClient> waiting;
  for (int i = 0; i < 12; ++i) {
    waiting.push_back(tls());
    waiting.back().send(
        "POST /v1/videos/sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 14\r\n\r\n{\"prompt\":\"a\"}");
  }
  auto one = tls();
  EXPECT_TRUE(soon([&] {
    const json counts = one.get("/stats").json()["jobs"]["video"];
    return counts["queued"].get<int>() + counts["in_progress"].get<int>() == 12;
  }));
  const json videos = one.get("/v1/videos").json()["data"];
  for (const json& video : videos) {
    one.ask("POST", "/v1/videos/" + video["id"].get<std::string>() + "/cancel");
  }
  for (TlsClient& client : waiting) EXPECT_EQ(client.read().status, 500);
}

TEST_F(Tls, EndsInAnOrderlyWay) {
  start_tls();
  auto one = tls();
  one.send("GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
  one.half_close();
  EXPECT_EQ(one.read().status, 200);
  EXPECT_TRUE(one.closed());
  EXPECT_TRUE(one.told_of_the_end());
}

TEST_F(Tls, IsOfVersion12AtLeast) {
  start_tls();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(tls({.version = version}).get("/ping").status, 200);
  }
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_THROW(tls({.version = version}), std::runtime_error);
  }
}

TEST_F(Tls, SpeaksHttp11) {
  start_tls();
  EXPECT_EQ(tls({.protocols = "\x02h2\x08http/1.1"}).protocol(), "http/1.1");
  EXPECT_EQ(tls({.protocols = "\x02h2"}).protocol(), "");
}

TEST_F(Tls, IsAskedForOfWhoSpeaksPlainHttp) {
  start_tls();
  auto plain = client();
  const auto refused = plain.get("/health");
  expect_error(refused, 400, "invalid_request");
  EXPECT_THAT(refused.body, HasSubstr("https://"));
  EXPECT_TRUE(plain.closed());
  auto junk = client();
  junk.send(std::string("\0\1\2\3 no hello", 13));
  junk.read_until();
  EXPECT_EQ(tls().get("/ping").status, 200);
}

TEST_F(Tls, ChangesItsCertificate) {
  start_tls();
  auto before = tls();
  EXPECT_EQ(before.server_name(), "reel");
  server_->use(certificate("renewed"));
  EXPECT_EQ(tls().server_name(), "renewed");
  EXPECT_EQ(before.get("/ping").status, 200) << "goes on";
}

TEST(TlsHandshakes, ThatNeverEndHoldNobodyUp) {
  const test::TemporaryFolder folder;
  write_certificate(folder.path(), "a");
  LoopOptions options;
  options.certificate = Certificate(folder / "a.crt", folder / "a.key");
  options.connection.header = std::chrono::milliseconds(2000);
  const EventLoop loop(
      listen_on("127.0.0.1", 0, true), options, [](Request&) { return Reply{}; },
      [](int status, const std::string& message) { return error_reply(status, message); },
      [](size_t) {});
  std::vector<Client> half_open;
  for (int i = 0; i < 100; ++i) {
    half_open.emplace_back(loop.port());
    if (i % 2 == 0) half_open.back().send("\x16\x03\x01\x02");
  }
  EXPECT_EQ(TlsClient(loop.port()).get("/").status, 200);
  for (Client& one : half_open) EXPECT_TRUE(one.closed());
  EXPECT_EQ(TlsClient(loop.port()).get("/").status, 200);
}

TEST(Certificate, SaysWhatIsWrong) {
  const test::TemporaryFolder folder;
  write_certificate(folder.path(), "a");
  write_certificate(folder.path(), "b");
  write_certificate(folder.path(), "locked", "secret");
  folder.write("junk", "junk");
  for (const auto& [chain, key, param, why] :
       {std::tuple{"none", "a.key", "tls-cert", "cannot be opened"},
        {"a.crt", "none", "tls-key", "cannot be opened"},
        {"junk", "a.key", "tls-cert", "expected a certificate"},
        {"a.key", "a.key", "tls-cert", "expected a certificate"},
        {"a.crt", "junk", "tls-key", "expected a private key"},
        {"a.crt", "a.crt", "tls-key", "expected a private key"},
        {"a.crt", "b.key", "tls-key", "expected a private key"},
        {"locked.crt", "locked.key", "tls-key", "without a password"}}) {
    try {
      Certificate(folder / chain, folder / key);
      ADD_FAILURE() << chain << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      EXPECT_EQ(error.param(), param);
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  }
}

}  // namespace
}  // namespace reel::http
