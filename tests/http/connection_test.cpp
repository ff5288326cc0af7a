#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "client.h"
#include "error_reply.h"
#include "event_loop.h"
#include "reel/base/clock.h"
#include "reel/base/ids.h"

namespace reel::http {
namespace {

using std::chrono::milliseconds;

class Connections : public testing::Test {
 protected:
  void start(LoopOptions options = {}) {
    path_ = std::filesystem::temp_directory_path() / random_id("reel-test-");
    options.connection.spool_dir = std::filesystem::temp_directory_path();
    loop_ = std::make_unique<EventLoop>(
        listen_on("127.0.0.1", 0, true), options,
        [this](Request& request) { return answer(request); },
        [](int status, const std::string& message) { return error_reply(status, message); },
        [this](size_t count) { connections_ = count; });
  }
  void TearDown() override {
    loop_.reset();
    std::filesystem::remove(path_);
  }

  Answer answer(Request& request) {
    ++handled_;
    {
      const std::lock_guard lock(mutex_);
      threads_[request.path] = std::this_thread::get_id();
    }
    if (request.path == "/echo") return Reply{200, request.body.read(), "text/plain", {}};
    if (request.path == "/size")
      return Reply{200, std::to_string(request.body.size()), "text/plain", {}};
    if (request.path == "/file") {
      File file;
      file.head.content_type = "video/mp4";
      file.file = Descriptor(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      file.length = std::filesystem::file_size(path_);
      return file;
    }
    if (request.path == "/wait") {
      const int64_t ready = ready_after_;
      auto asked = std::make_shared<std::atomic<int64_t>>(0);
      Wait wait;
      wait.period = milliseconds(10);
      wait.poll = [=]() -> std::optional<Reply> {
        if (++*asked < ready) return std::nullopt;
        return Reply{200, "waited", "text/plain", {}};
      };
      wait.gone = [this] { ++gone_; };
      return wait;
    }
    return Reply{
        200, request.path + "?" + request.param("a"), "text/plain", {{"x-peer", request.peer}}};
  }

  void write_file(size_t bytes) {
    std::ofstream out(path_, std::ios::binary);
    for (size_t i = 0; i < bytes; i += 4096)
      out << std::string(4096, static_cast<char>('a' + i / 4096 % 26));
  }
  Client client(int receive_buffer = 0) { return Client(loop_->port(), receive_buffer); }
  static bool soon(const std::function<bool()>& holds) {
    for (const Stopwatch watch; watch.seconds() < 10;) {
      if (holds()) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }

  std::unique_ptr<EventLoop> loop_;
  std::filesystem::path path_;
  std::atomic<int> handled_{0}, gone_{0};
  std::atomic<int64_t> ready_after_{5};
  std::atomic<size_t> connections_{0};
  std::mutex mutex_;
  std::map<std::string, std::thread::id> threads_;  // by path
};

TEST_F(Connections, AnswersManyRequestsOnOneConnection) {
  start();
  auto one = client();
  for (int i = 0; i < 20; ++i) {
    const auto response = one.get("/x%2Fy?a=b%20c");
    EXPECT_EQ(response.body, "/x/y?b c");
    EXPECT_EQ(response.headers.at("x-peer"), "127.0.0.1");
  }
}

TEST_F(Connections, TakesAHeaderLineAsLongAsAllMayBe) {
  start();
  EXPECT_EQ(client().get("/x", "Cookie: " + std::string(30'000, 'a') + "\r\n").status, 200);
}

TEST_F(Connections, AnswersPipelinedRequestsInOrder) {
  start();
  auto one = client();
  std::string all;
  for (int i = 0; i < 100; ++i) {
    all += i % 2 ? "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n"
                 : "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n" +
                       std::to_string(10 + i % 90);
  }
  one.send(all);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(one.read().body, i % 2 ? "/" + std::to_string(i) + "?" : std::to_string(10 + i % 90));
  }
}

TEST_F(Connections, RunsQuickRequestsOnItsOwnThreadInOrderWithOthers) {
  LoopOptions options;
  options.quick = [](const Head& head) { return head.target.starts_with("/quick"); };
  start(options);
  auto one = client();
  std::string all;
  for (int i = 0; i < 100; ++i) {  // more in a row than are run in one turn
    all +=
        (i % 40 ? "GET /quick" : "GET /slow") + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  one.send(all + "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(one.read().body, (i % 40 ? "/quick" : "/slow") + std::to_string(i) + "?");
  }
  EXPECT_EQ(one.read().body, "waited");
  const std::lock_guard lock(mutex_);
  ASSERT_TRUE(threads_.contains("/quick1"));
  EXPECT_EQ(threads_["/quick1"], threads_["/quick79"]);
  EXPECT_NE(threads_["/quick1"], threads_["/slow0"]);
}

TEST_F(Connections, MayWaitInAQuickRequest) {
  LoopOptions options;
  options.quick = [](const Head&) { return true; };
  start(options);
  auto one = client();
  EXPECT_EQ(one.get("/wait").body, "waited");
  EXPECT_EQ(one.get("/after").body, "/after?");
}

TEST_F(Connections, AnswersAClientThatHasClosedItsHalf) {
  start();
  auto one = client();
  one.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  one.half_close();
  EXPECT_EQ(one.read().body, "/1?");
  EXPECT_EQ(one.read().body, "/2?");
  EXPECT_TRUE(one.closed());
}

TEST_F(Connections, ClosesWhenAsked) {
  start();
  auto one = client();
  const auto response = one.get("/", "Connection: close\r\n");
  EXPECT_EQ(response.headers.at("connection"), "close");
  EXPECT_TRUE(one.closed());
  auto old = client();
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read().status, 200);
  EXPECT_TRUE(old.closed());
}

TEST_F(Connections, SendsNoBodyToHead) {
  start();
  write_file(8192);
  auto one = client();
  EXPECT_EQ(one.ask("HEAD", "/file").headers.at("content-length"), "8192");
  EXPECT_EQ(one.ask("HEAD", "/x").headers.at("content-length"), "3");
  EXPECT_EQ(one.get("/y").body, "/y?");
}

TEST_F(Connections, TakesBodiesOfAllSizesAndCuts) {
  start();
  auto one = client();
  for (const size_t size :
       {size_t{1}, size_t{65536}, Body::kInMemory, Body::kInMemory + 1, size_t{5} << 20}) {
    std::string body(size, 'x');
    for (size_t i = 0; i < size; i += 7) body[i] = static_cast<char>('a' + i % 26);
    EXPECT_TRUE(one.ask("POST", "/echo", {}, body).body == body) << size;
    std::string chunks;
    for (size_t at = 0; at < size; at += 100'000) {
      const auto piece = body.substr(at, 100'000);
      char line[32];
      snprintf(line, sizeof line, "%zX\r\n", piece.size());
      chunks += line + piece + "\r\n";
    }
    one.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunks +
             "0\r\n\r\n");
    EXPECT_TRUE(one.read().body == body) << size;
  }
  auto slow = client();
  for (const char c :
       std::string("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")) {
    slow.send(std::string(1, c));
  }
  EXPECT_EQ(slow.read().body, "abc");
}

TEST_F(Connections, SaysContinueOnlyToWhatItWillTake) {
  start();
  auto one = client();
  one.send("POST /size HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(one.read().status, 100);
  one.send("hello");
  EXPECT_EQ(one.read().body, "5");
  one.send(
      "POST /size HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(one.read().status, 413);
  EXPECT_TRUE(one.closed());
  EXPECT_EQ(handled_, 1);
}

TEST_F(Connections, ClosesSlowHeadsBodiesAndIdleness) {
  LoopOptions options;
  options.connection.header = milliseconds(300);
  options.connection.body_grace = milliseconds(300);
  options.connection.idle = milliseconds(2500);
  start(options);
  auto silent = client(), head = client(), body = client(), idle = client();
  head.send("GET / HTTP/1.1\r\nHo");
  body.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nx");
  EXPECT_EQ(idle.get("/").status, 200);
  const Stopwatch watch;
  EXPECT_EQ(head.read().status, 408);
  EXPECT_EQ(body.read().status, 408);
  EXPECT_TRUE(silent.closed());
  EXPECT_LT(watch.seconds(), 2.4) << "one slow client waited for another";
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(handled_, 1);
}

TEST_F(Connections, SlowReadersHoldNoThread) {
  LoopOptions options;
  options.readers = options.writers = 1;
  options.connection.send_stall = milliseconds(3000);
  start(options);
  write_file(8 << 20);
  std::vector<Client> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(client(4096));
    slow.back().send("GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  auto quick = client();
  const Stopwatch watch;
  EXPECT_EQ(quick.get("/x").body, "/x?");
  EXPECT_LT(watch.seconds(), 2.9);
  const auto whole = quick.get("/file");
  EXPECT_EQ(whole.headers.at("content-type"), "video/mp4");
  EXPECT_EQ(whole.body.size(), size_t{8} << 20);
  EXPECT_EQ(whole.body.substr(4095, 2), "ab");
  EXPECT_TRUE(soon([&] { return connections_ == 1; })) << "stalled readers stay";
}

TEST_F(Connections, WaitsHoldNoThread) {
  LoopOptions options;
  options.readers = options.writers = 1;
  ready_after_ = 20;
  start(options);
  std::vector<Client> waiting;
  for (int i = 0; i < 50; ++i) {
    waiting.push_back(client());
    waiting.back().send(
        "GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_EQ(client().get("/x").body, "/x?");
  for (Client& one : waiting) {
    EXPECT_EQ(one.read().body, "waited");
    EXPECT_EQ(one.read().body, "/next?");
  }
  EXPECT_EQ(gone_, 0);
}

TEST_F(Connections, TellsAWaitThatItsClientHasGone) {
  ready_after_ = 1'000'000;
  start();
  for (int i = 0; i < 5; ++i) {
    auto one = client();
    one.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(soon([&] { return handled_ == i + 1; }));
  }
  EXPECT_TRUE(soon([&] { return gone_ == 5 && connections_ == 0; }));
}

TEST_F(Connections, ThousandParkedConnectionsAreAllAnswered) {
  LoopOptions options;
  options.readers = 2;
  start(options);
  std::vector<Client> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(client());
  for (int round = 0; round < 3; ++round) {
    for (Client& one : clients) one.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    for (Client& one : clients) EXPECT_EQ(one.read().status, 200);
  }
}

TEST_F(Connections, PausesAtTheLimitAndGoesOn) {
  LoopOptions options;
  options.max_connections = 4;
  start(options);
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(client());
    EXPECT_EQ(clients.back().get("/").status, 200);
  }
  auto late = client();
  late.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(late.read(false, 300).status, 0);
  clients.pop_back();
  EXPECT_EQ(late.read().body, "/late?");
}

TEST_F(Connections, StopFinishesRepliesUnderWay) {
  LoopOptions options;
  options.stop_grace = milliseconds(3000);
  ready_after_ = 30;
  start(options);
  auto waiting = client(), idle = client();
  EXPECT_EQ(idle.get("/").status, 200);
  waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(soon([&] { return handled_ == 2; }));
  auto stopped = std::async(std::launch::async, [&] { loop_.reset(); });
  const auto response = waiting.read();
  EXPECT_EQ(response.body, "waited");
  EXPECT_TRUE(waiting.closed());
  EXPECT_TRUE(idle.closed());
  stopped.get();
}

TEST_F(Connections, SurvivesClientsThatVanish) {
  start();
  write_file(1 << 20);
  for (int i = 0; i < 200; ++i) {
    auto one = client();
    const std::string_view text = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nabc";
    one.send(i % 2 ? text.substr(0, static_cast<size_t>(i) % text.size())
                   : "GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_TRUE(soon([&] { return connections_ == 0; }));
  EXPECT_EQ(client().get("/x").body, "/x?");
}

TEST(Listener, SearchesForAFreePort) {
  const Listener first = listen_on("127.0.0.1", 0, true);
  if (first.port > 65535 - 42) GTEST_SKIP() << "no room above " << first.port;
  EXPECT_THROW(listen_on("127.0.0.1", first.port, true), Error);
  const Listener second = listen_on("127.0.0.1", first.port, false);
  EXPECT_GT(second.port, first.port);
  EXPECT_EQ((second.port - first.port) % 42, 0);
  EXPECT_THROW(listen_on("203.0.113.1", 0, true), Error);
}

}  // namespace
}  // namespace reel::http
