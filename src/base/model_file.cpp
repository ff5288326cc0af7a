#include "reel/base/model_file.h"

#include "reel/base/error.h"
#include "reel/base/read_file.h"

namespace reel {

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (error) throw Error(ErrorCode::BadModel, path.string() + ": " + error.message());
  return there;
}

std::string read_model_file(const std::filesystem::path& path, uintmax_t most) {
  return read_file(path, most, ErrorCode::BadModel);
}

void require_shallow_json(std::string_view text) {
  constexpr int kDeepest = 64;
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      i += c == '\\';  // what follows ends nothing
      in_text = c != '"';
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) {
        throw Error(ErrorCode::BadModel, "JSON: nested more than 64 deep");
      }
    } else if (c == ']' || c == '}') {
      --depth;
    } else {
      in_text = c == '"';
    }
  }
}

std::string json_fault(std::string_view what) {
  constexpr size_t kMost = 200;
  if (const size_t end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
  what = what.substr(0, what.find("; last read: "));
  return std::string(what.substr(0, kMost));
}

}  // namespace reel
