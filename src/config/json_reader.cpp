#include "reel/config/json_reader.h"

#include <fmt/ranges.h>

#include "reel/base/model_file.h"

namespace reel::config {
namespace {

constexpr uintmax_t kMaxBytes = 16 << 20;

}  // namespace

nlohmann::json read_json(const std::filesystem::path& path) {
  const std::string text = read_model_file(path, kMaxBytes);
  try {
    require_shallow_json(text);
    return nlohmann::json::parse(text);
  } catch (const Error& error) {
    throw Error(ErrorCode::BadModel, fmt::format("{}: {}", path.string(), error.what()));
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::BadModel,
                fmt::format("{}: no JSON: {}", path.string(), json_fault(error.what())));
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
