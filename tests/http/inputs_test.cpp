#include "page_server.h"
#include "reel/base/digest.h"
#include "reel/media/image_codec.h"
#include "server_fixture.h"

namespace reel::http {
namespace {

using gen::Take;

class InputsTest : public ServerTest {
 protected:
  void start_taking(Take image, const jobs::InputOptions& inputs = {}) {
    gen::FakeOptions fake;
    fake.takes.image = image;
    start(fake, {}, 100, inputs);
  }

  static std::string png(uint8_t red = 9) {
    gen::Image image{32, 32, std::vector<uint8_t>(32 * 32 * 3, red)};
    return media::encode_image(image, gen::ImageFormat::Png);
  }
  static std::string data_url() { return "data:image/png;base64," + encode_base64(png()); }

  static std::string form(const std::string& name, const std::string& content, bool file) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"" +
           (file ? "; filename=\"a.png\"\r\nContent-Type: image/png" : "") + "\r\n\r\n" + content +
           "\r\n";
  }
  static Client::Response post_form(Client& one, const std::string& path,
                                    const std::string& parts) {
    return one.ask("POST", path, "Content-Type: multipart/form-data; boundary=b\r\n",
                   form("prompt", "a", false) + parts + "--b--\r\n");
  }
};

TEST_F(InputsTest, ComeInEveryWay) {
  test::PageServer pages(
      [](const std::string&) { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + png(); });
  jobs::InputOptions inputs;
  inputs.reach = net::Reach::Everything;
  start_taking(Take::Required, inputs);
  auto one = client();
  const auto expect_taken = [&](const Client::Response& response, const std::string& field) {
    ASSERT_EQ(response.status, 200) << response.body;
    const json video = response.json();
    EXPECT_EQ(video["inputs"]["image"], (json{{"field", field},
                                              {"sha256", encode_hex(sha256(png()))},
                                              {"bytes", png().size()},
                                              {"width", 32},
                                              {"height", 32},
                                              {"frames", 1}}));
    EXPECT_EQ(video["size"], "48x48");
  };
  const auto post = [&](const std::string& field, const json& value) {
    expect_taken(one.post_json("/v1/videos", {{"prompt", "a"}, {field, value}}), field);
  };
  post("input_reference", data_url());
  post("input_reference", {{"image_url", data_url()}});
  post("reference_url", pages.url("/a.png"));
  expect_taken(post_form(one, "/v1/videos", form("input_reference", png(), true)),
               "input_reference");
  expect_taken(post_form(one, "/v1/videos", form("input_reference[image_url]", data_url(), false)),
               "input_reference");
}

TEST_F(InputsTest, AreNotFetchedForAKnownIdempotencyKey) {
  std::atomic<int> fetched = 0;
  test::PageServer pages([&](const std::string&) {
    ++fetched;
    return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + png();
  });
  jobs::InputOptions inputs;
  inputs.reach = net::Reach::Everything;
  start_taking(Take::Required, inputs);
  auto one = client();
  const std::string body = json{{"prompt", "a"}, {"input_reference", pages.url("/a.png")}}.dump();
  const auto ask = [&](const std::string& path) {
    return one.ask("POST", path, "Idempotency-Key: k\r\nContent-Type: application/json\r\n", body);
  };
  const auto first = ask("/v1/videos"), again = ask("/v1/videos");
  EXPECT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(again.json()["id"], first.json()["id"]);
  EXPECT_EQ(again.headers.at("idempotency-replayed"), "true");
  EXPECT_EQ(fetched, 1);
  EXPECT_EQ(ask("/v1/images/edits").json()["id"], ask("/v1/images/edits").json()["id"]);
  EXPECT_EQ(fetched, 2);
}

TEST_F(InputsTest, TakeOneOfAKind) {
  start_taking(Take::Required);
  auto one = client();
  const std::string other = "data:image/png;base64," + encode_base64(png(0));
  expect_error(
      one.post_json("/v1/videos",
                    {{"prompt", "a"}, {"input_reference", data_url()}, {"reference_url", other}}),
      400, "invalid_request", "input_reference");
  EXPECT_EQ(one.post_json("/v1/videos", {{"prompt", "a"},
                                         {"input_reference", data_url()},
                                         {"reference_url", data_url()}})
                .status,
            200);
}

TEST_F(InputsTest, DoNotOutliveTheirJob) {
  jobs::InputOptions inputs;
  inputs.memory = 32 * 32 * 3;  // none of the one before
  start_taking(Take::Required, inputs);
  auto one = client();
  const json asked = {{"prompt", "a"}, {"input_reference", data_url()}};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(finished_video(one, asked)["status"], "completed");
}

TEST_F(InputsTest, DoNotWaitForWhatOthersFetch) {
  test::PageServer silent([](const std::string&) { return std::string(); });
  jobs::InputOptions inputs;
  inputs.reach = net::Reach::Everything;
  start_taking(Take::Required, inputs);
  std::vector<Client> slow;
  const std::string body = json{{"prompt", "a"}, {"input_reference", silent.url("/a.png")}}.dump();
  for (int i = 0; i < 20; ++i) {
    slow.push_back(client());
    slow.back().send("POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  auto one = client();
  const json asked = {{"prompt", "a"}, {"input_reference", data_url()}};
  EXPECT_EQ(one.post_json("/v1/videos", asked).status, 200);
}

TEST_F(InputsTest, AreJudgedBeforeAJobIsThere) {
  start_taking(Take::Required);
  auto one = client();
  expect_error(one.post_json("/v1/videos", {{"prompt", "a"}}), 400, "invalid_request",
               "input_reference");
  for (const std::string source : {"data:image/png;base64,AAAA", "http://127.0.0.1:1/a.png",
                                   "/etc/hostname", "file:///etc/hostname"}) {
    expect_error(one.post_json("/v1/videos", {{"prompt", "a"}, {"input_reference", source}}), 400,
                 "invalid_request", "input_reference");
  }
  expect_error(one.post_json("/v1/videos",
                             {{"prompt", "a"}, {"input_reference", data_url()}, {"num_frames", 0}}),
               400, "invalid_request", "num_frames");
  EXPECT_TRUE(one.get("/v1/videos").json()["data"].empty());
}

TEST_F(InputsTest, ThatTheModelDoesNotTakeAreNotFetched) {
  test::PageServer pages([](const std::string&) { return std::string(); });
  jobs::InputOptions inputs;
  inputs.reach = net::Reach::Everything;
  start_taking(Take::No, inputs);
  auto one = client();
  expect_error(one.post_json("/v1/videos", {{"prompt", "a"}, {"reference_url", pages.url("/")}}),
               400, "invalid_request", "reference_url");
  EXPECT_EQ(pages.connections(), 0);
}

TEST_F(InputsTest, KeepNoOtherRequestWaiting) {
  test::PageServer silent([](const std::string&) { return std::string(); });
  jobs::InputOptions inputs;
  inputs.reach = net::Reach::Everything;
  inputs.timeout_s = 1;
  start_taking(Take::Optional, inputs);
  std::vector<std::unique_ptr<Client>> waiting;
  const std::string body = json{{"prompt", "a"}, {"reference_url", silent.url("/")}}.dump();
  for (int i = 0; i < 12; ++i) {
    waiting.push_back(std::make_unique<Client>(client()));
    waiting.back()->send("POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  ASSERT_TRUE(soon([&] { return silent.connections() > 0; }));
  auto one = client();
  EXPECT_EQ(one.post_json("/v1/videos", {{"prompt", "a"}}).status, 200);
  for (auto& each : waiting) expect_error(each->read(), 400, "invalid_request", "reference_url");
}

TEST_F(InputsTest, ReachTheGenerator) {
  start_taking(Take::Optional);
  auto one = client();
  const auto content_with = [&](uint8_t red) {
    const std::string url = "data:image/png;base64," + encode_base64(png(red));
    return one
        .post_json("/v1/videos/sync", {{"prompt", "a"}, {"seed", 1}, {"input_reference", url}})
        .body;
  };
  EXPECT_EQ(content_with(5), content_with(5));
  EXPECT_NE(content_with(5), content_with(6));
}

TEST_F(InputsTest, AreNotKeptForARemix) {
  start_taking(Take::Required);
  auto one = client();
  const json video = finished_video(one, {{"prompt", "a"}, {"input_reference", data_url()}});
  ASSERT_EQ(video["status"], "completed");
  EXPECT_EQ(video["inputs"]["image"]["width"], 32);
  const std::string path = "/v1/videos/" + video["id"].get<std::string>() + "/remix";
  expect_error(one.post_json(path, {{"prompt", "b"}}), 400, "invalid_request", "input_reference");
  EXPECT_EQ(one.post_json(path, {{"prompt", "b"}, {"input_reference", data_url()}}).status, 200);
}

TEST_F(InputsTest, MakeImagesFromAnImage) {
  start_taking(Take::Optional);
  auto one = client();
  expect_error(post_form(one, "/v1/images/edits", ""), 400, "invalid_request", "image");
  for (const char* name : {"image", "image[]"}) {
    const auto edited = post_form(one, "/v1/images/edits", form(name, png(), true));
    ASSERT_EQ(edited.status, 200) << edited.body;
    EXPECT_EQ(edited.json()["size"], "48x48");
    EXPECT_TRUE(edited.json()["data"][0]["b64_json"].is_string());
    EXPECT_EQ(edited.json()["usage"]["total_tokens"], 0);
  }
  const auto by_url =
      post_form(one, "/v1/images/edits",
                form("url[]", data_url(), false) + form("response_format", "url", false) +
                    form("num_inference_steps", "2", false) +
                    form("extra_body", "{'num_inference_steps': 'not read', 'seed': 7}", false));
  ASSERT_EQ(by_url.status, 200) << by_url.body;
  EXPECT_EQ(by_url.json()["data"][0]["seed"], 7);
  EXPECT_TRUE(by_url.json()["data"][0]["url"].is_string());
  const auto beside =
      post_form(one, "/v1/images/edits",
                form("image", png(), true) + form("seed", "1", false) +
                    form("extra_params", R"({"guidance_scale": 1})", false) +
                    form("extra_body", R"({"seed": 7, "num_inference_steps": 2})", false));
  EXPECT_EQ(beside.json()["data"][0]["seed"], 1) << "a form's own fields win";
}

TEST_F(InputsTest, MakeImagesThatAreStreamed) {
  start_taking(Take::Optional);
  const std::string body = form("prompt", "a", false) + form("image", png(), true) +
                           form("stream", "true", false) + form("partial_images", "1", false) +
                           "--b--\r\n";
  auto one = client();
  one.send(
      "POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(one.read(true).headers.at("content-type"), "text/event-stream");
  const std::string text = one.read_until();
  for (const char* event : {"image_edit.partial_image", "image_edit.completed"}) {
    EXPECT_NE(text.find(std::string("event: ") + event + "\n"), std::string::npos)
        << text.substr(0, 400);
  }
}

TEST_F(InputsTest, AreToldInTheCapabilities) {
  start_taking(Take::Optional);
  EXPECT_EQ(client().get("/v1/capabilities").json()["inputs"], (json{"text", "image"}));
}

}  // namespace
}  // namespace reel::http
