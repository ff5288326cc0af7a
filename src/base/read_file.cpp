#include "reel/base/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "reel/base/descriptor.h"

namespace reel {

std::string read_file(const std::filesystem::path& path, uintmax_t most, ErrorCode fault) {
  const auto fail = [&](const std::string& what) {
    throw Error(fault, fmt::format("{}: {}", path.string(), what));
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) fail(fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat status {};
  const bool regular = ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode);
  if (!regular || static_cast<uintmax_t>(status.st_size) > most) {
    fail(fmt::format("expected a file of at most {} bytes", most));
  }
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(count == 0 ? "became shorter while it was read" : std::strerror(errno));
    done += static_cast<size_t>(count);
  }
  return bytes;
}

}  // namespace reel
