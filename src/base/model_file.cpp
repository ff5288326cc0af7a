#include "reel/base/model_file.h"

#include "reel/base/read_file.h"

namespace reel {

std::string read_model_file(const std::filesystem::path& path, uintmax_t most) {
  return read_file(path, most, ErrorCode::BadModel);
}

std::string json_fault(std::string_view what) {
  constexpr size_t kMost = 200;
  if (const size_t end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
  what = what.substr(0, what.find("; last read: "));
  return std::string(what.substr(0, kMost));
}

}  // namespace reel
