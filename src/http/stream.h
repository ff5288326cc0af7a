#pragma once

#include <httplib.h>

#include <string>
#include <string_view>

namespace reel::http {

/// What cpp-httplib takes for a connection: bytes that are all there already. What it writes is
/// nobody's.
class BufferedStream : public httplib::Stream {
 public:
  explicit BufferedStream(std::string_view input) : input_(input) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return -1; }

 private:
  std::string_view input_;
};

}  // namespace reel::http
