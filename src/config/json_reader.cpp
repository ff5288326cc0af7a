#include "reel/config/json_reader.h"

#include <fmt/ranges.h>

#include <fstream>

namespace reel::config {
namespace {

constexpr uintmax_t kMaxBytes = 16 << 20;

}  // namespace

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorCode::BadModel, path.string() + ": cannot be opened");
  std::error_code no_file;
  const auto bytes = std::filesystem::file_size(path, no_file);
  if (no_file || bytes > kMaxBytes) {
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: expected a file of at most {} bytes", path.string(), kMaxBytes));
  }
  try {
    return nlohmann::json::parse(in);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::BadModel, fmt::format("{}: no JSON: {}", path.string(), error.what()));
  }
}

JsonReader::JsonReader(const nlohmann::json& object, std::string where)
    : object_(&object), where_(std::move(where)) {
  if (!object.is_object()) throw Error(ErrorCode::BadModel, where_ + ": expected a JSON object");
}

void JsonReader::ignore(std::initializer_list<std::string_view> keys) {
  for (const auto key : keys) seen_.emplace(key);
}

void JsonReader::finish() const {
  for (const auto& [key, value] : object_->items()) {
    if (!key.empty() && key.front() != '_' && seen_.find(key) == seen_.end()) {
      fail(key, "is unknown, and may change the result");
    }
  }
}

void JsonReader::check(const std::vector<std::string>& problems) const {
  if (problems.empty()) return;
  throw Error(ErrorCode::BadModel, fmt::format("{}: {}", where_, fmt::join(problems, "; ")));
}

void JsonReader::fail(std::string_view key, const std::string& what) const {
  throw Error(ErrorCode::BadModel, fmt::format("{}: {} {}", where_, key, what), std::string(key));
}

}  // namespace reel::config
