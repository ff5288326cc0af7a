#include <fcntl.h>
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>

// cpp-httplib as it comes, with the replies that http_load asks for: stock_server FILE, the content
// of every video. Writes its port.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int file = open(argv[1], O_RDONLY | O_CLOEXEC);
  const off_t length = lseek(file, 0, SEEK_END);
  if (length < 0) return 2;

  httplib::Server server;
  server.Get("/health", [](const auto&, auto& response) {
    response.set_content(R"({"status":"ok"})", "application/json");
  });
  server.Get("/v1/videos/[^/]+", [](const auto&, auto& response) {
    response.set_content(std::string(900, ' ') + "{}", "application/json");  // as long as Reel's
  });
  server.Get("/v1/videos/[^/]+/content", [&](const auto&, auto& response) {
    response.set_content_provider(
        static_cast<size_t>(length), "video/mp4",
        [file](size_t offset, size_t left, httplib::DataSink& sink) {
          std::array<char, 64 << 10> piece;
          const ssize_t got =
              pread(file, piece.data(), std::min(left, piece.size()), static_cast<off_t>(offset));
          return got > 0 && sink.write(piece.data(), static_cast<size_t>(got));
        });
  });
  server.Get("/v1/events", [](const auto&, auto& response) {
    response.set_chunked_content_provider(
        "text/event-stream", [number = 0](size_t, httplib::DataSink& sink) mutable {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
          const std::string event = "id: " + std::to_string(++number) + "\ndata: {}\n\n";
          return sink.write(event.data(), event.size());
        });
  });
  std::cout << server.bind_to_any_port("127.0.0.1") << std::endl;
  return server.listen_after_bind() ? 0 : 1;
}
