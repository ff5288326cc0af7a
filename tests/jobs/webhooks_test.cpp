#include "reel/jobs/webhooks.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "receiver.h"
#include "reel/base/clock.h"
#include "reel/base/digest.h"
#include "reel/store/memory_job_store.h"

namespace reel::jobs {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const std::string kKey(32, 'k');

class WebhooksTest : public testing::Test {
 protected:
  void start(WebhookOptions options = {}) {
    options.secret = "whsec_" + encode_base64(kKey);
    options.public_only = false;
    options.first_retry = 1ms;
    webhooks_.emplace(jobs_, metrics_, std::move(options));
  }
  std::string submit(const std::string& url, Kind kind = Kind::Video) {
    JobSpec spec;
    spec.kind = kind;
    spec.webhook_url = url;
    return jobs_.submit(spec).job.id;
  }
  void complete(const std::string& id) {
    jobs_.take({});
    jobs_.complete(id, {});
  }
  static bool soon(const std::function<bool()>& holds) {
    for (const Stopwatch watch; watch.seconds() < 20;) {
      if (holds()) return true;
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }
  static std::string header(const std::string& request, const std::string& name) {
    const size_t at = request.find(name + ": ");
    if (at == request.npos) return "";
    const size_t from = at + name.size() + 2;
    return request.substr(from, request.find("\r\n", from) - from);
  }
  static std::string body(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
  }

  store::MemoryJobStore jobs_{1000};
  Metrics metrics_;
  std::optional<Webhooks> webhooks_;
};

TEST_F(WebhooksTest, TellOfACompletedVideo) {
  const test::Receiver receiver;
  start();
  const auto id = submit(receiver.url());
  complete(id);
  ASSERT_TRUE(soon([&] { return webhooks_->waiting() == 0; }));
  ASSERT_EQ(receiver.requests().size(), 1u);
  const std::string request = receiver.requests()[0];
  EXPECT_TRUE(request.starts_with("POST /hook HTTP/1.1\r\n"));
  EXPECT_EQ(header(request, "Content-Type"), "application/json");
  const auto event = nlohmann::json::parse(body(request));
  EXPECT_EQ(event["type"], "video.completed");
  EXPECT_EQ(event["object"], "event");
  EXPECT_EQ(event["data"], (nlohmann::json{{"id", id}}));
  EXPECT_EQ(event["created_at"], *jobs_.get(id).completed_at);
  EXPECT_EQ(event["id"], header(request, "webhook-id"));
  EXPECT_EQ(header(request, "webhook-signature"),
            webhook_signature(kKey, header(request, "webhook-id"),
                              header(request, "webhook-timestamp"), body(request)));
}

TEST_F(WebhooksTest, TellWhyAVideoHasFailed) {
  const test::Receiver receiver;
  start();
  const auto failed = submit(receiver.url()), cancelled = submit(receiver.url());
  jobs_.take({});
  jobs_.fail(failed, {"out_of_memory", "too large"});
  jobs_.cancel(cancelled, "by the client");
  ASSERT_TRUE(soon([&] { return webhooks_->waiting() == 0; }));
  std::set<std::string> errors;
  for (const auto& request : receiver.requests()) {
    const auto event = nlohmann::json::parse(body(request));
    EXPECT_EQ(event["type"], "video.failed");
    errors.insert(event["data"]["error"].dump());
  }
  EXPECT_THAT(errors, testing::ElementsAre(R"({"code":"cancelled","message":"by the client"})",
                                           R"({"code":"out_of_memory","message":"too large"})"));
}

TEST_F(WebhooksTest, AreSignedAsStandardWebhooksSays) {
  // The example of the specification.
  const auto key = decode_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
  EXPECT_EQ(webhook_signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
                              R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_F(WebhooksTest, TryAgainUnderTheSameId) {
  const test::Receiver receiver({500, 302, 404, 204});
  start();
  complete(submit(receiver.url()));
  ASSERT_TRUE(soon([&] { return webhooks_->waiting() == 0; }));
  const auto requests = receiver.requests();
  ASSERT_EQ(requests.size(), 4u);
  for (const auto& request : requests) {
    EXPECT_EQ(header(request, "webhook-id"), header(requests[0], "webhook-id"));
    EXPECT_EQ(body(request), body(requests[0]));
  }
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(serve_webhook_deliveries_total{result="failed"} 3)"));
  EXPECT_THAT(metrics_.text(),
              HasSubstr(R"(serve_webhook_deliveries_total{result="delivered"} 1)"));
}

TEST_F(WebhooksTest, AreGivenUpAfterTheLastTryOrWhenUnwanted) {
  const test::Receiver broken({500}), gone({410});
  start({.tries = 3});
  complete(submit(broken.url()));
  complete(submit(gone.url()));
  ASSERT_TRUE(soon([&] { return webhooks_->waiting() == 0; }));
  EXPECT_EQ(broken.requests().size(), 3u);
  EXPECT_EQ(gone.requests().size(), 1u);
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(serve_webhook_deliveries_total{result="given_up"} 2)"));
}

TEST_F(WebhooksTest, TellTheServersUrlOfEveryVideo) {
  const test::Receiver all, one;
  start({.url = all.url()});
  complete(submit(one.url()));
  complete(submit(""));
  complete(submit("", Kind::Image));
  ASSERT_TRUE(soon([&] { return webhooks_->waiting() == 0; }));
  EXPECT_EQ(all.requests().size(), 2u);
  EXPECT_EQ(one.requests().size(), 1u);
}

TEST_F(WebhooksTest, WaitForNoReceiver) {
  const test::Receiver silent({0}), quick;
  start({.stop_grace = 10ms});
  for (int i = 0; i < 20; ++i) complete(submit(silent.url()));
  complete(submit(quick.url()));
  EXPECT_TRUE(soon([&] { return quick.requests().size() == 1; }));
  EXPECT_TRUE(soon([&] { return webhooks_->waiting() == 20; }));
  webhooks_.reset();  // does not wait either
}

TEST_F(WebhooksTest, AreBoundedInNumber) {
  const test::Receiver silent({0});
  start({.most_waiting = 2, .stop_grace = 10ms});
  for (int i = 0; i < 5; ++i) complete(submit(silent.url()));
  EXPECT_EQ(webhooks_->waiting(), 2u);
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(serve_webhook_deliveries_total{result="dropped"} 3)"));
}

TEST_F(WebhooksTest, AreSentBeforeTheServerEnds) {
  const test::Receiver receiver;
  start();
  for (int i = 0; i < 100; ++i) complete(submit(receiver.url()));
  webhooks_.reset();
  EXPECT_EQ(receiver.requests().size(), 100u);
}

TEST_F(WebhooksTest, GoToPublicAddressesOnly) {
  const test::Receiver receiver;
  WebhookOptions options{.secret = "whsec_" + encode_base64(kKey), .tries = 1};
  webhooks_.emplace(jobs_, metrics_, options);
  EXPECT_THROW(webhooks_->check(receiver.url()), Error);
  webhooks_->check("https://example.com/hook");
  complete(submit(receiver.url()));  // as if its name had resolved to that
  ASSERT_TRUE(soon([&] { return webhooks_->waiting() == 0; }));
  EXPECT_TRUE(receiver.requests().empty());
}

TEST_F(WebhooksTest, NeedAGoodSecretAndUrl) {
  const auto param_of = [&](const std::string& secret, const std::string& url) -> std::string {
    try {
      Webhooks(jobs_, metrics_, {.secret = secret, .url = url});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      return error.param();
    }
    return "none";
  };
  const std::string good = "whsec_" + encode_base64(kKey);
  EXPECT_EQ(param_of(good, "http://127.0.0.1:1/"), "none");
  for (const std::string& secret :
       {std::string(""), std::string("whsec_"), good.substr(1), good + "=", encode_base64(kKey),
        "whsec_" + encode_base64(std::string(23, 'k')),
        "whsec_" + encode_base64(std::string(65, 'k')), std::string("whsec_###")}) {
    EXPECT_EQ(param_of(secret, ""), "webhook-secret") << secret;
  }
  EXPECT_EQ(param_of(good, "ftp://a"), "webhook-url");
}

}  // namespace
}  // namespace reel::jobs
