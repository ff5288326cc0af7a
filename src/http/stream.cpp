#include "stream.h"

#include <algorithm>

namespace reel::http {

ssize_t BufferedStream::read(char* to, size_t size) {
  const size_t count = std::min(size, input_.size());
  input_.copy(to, count);
  input_.remove_prefix(count);
  return static_cast<ssize_t>(count);
}

ssize_t BufferedStream::write(const char*, size_t size) { return static_cast<ssize_t>(size); }

void BufferedStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void BufferedStream::get_local_ip_and_port(std::string& ip, int& port) const {
  get_remote_ip_and_port(ip, port);
}

}  // namespace reel::http
