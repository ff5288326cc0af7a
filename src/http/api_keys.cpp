#include "reel/http/api_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "reel/base/digest.h"
#include "reel/base/error.h"
#include "reel/base/read_file.h"
#include "text.h"

namespace reel::http {
namespace {

constexpr uintmax_t kMostFile = 1 << 20;  // bytes
constexpr size_t kMostKey = 512, kMostName = 64;

// What can stand after "Bearer " in a header.
bool is_key(std::string_view text) {
  return !text.empty() && text.size() <= kMostKey &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMostName && is_alnum(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

// A line without its comment and the spaces around.
std::string_view content_of(std::string_view line) {
  for (size_t hash = line.find('#'); hash != line.npos; hash = line.find('#', hash + 1)) {
    if (hash > 0 && line[hash - 1] != ' ' && line[hash - 1] != '\t') continue;
    line = line.substr(0, hash);
    break;
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  return trim(line);
}

}  // namespace

ApiKeys ApiKeys::read(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMostFile, ErrorCode::InvalidArgument);
  ApiKeys keys;
  std::string_view rest = text;
  for (size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string_view content = content_of(line);
    if (content.empty()) continue;
    const size_t colon = content.find(':');
    try {
      const bool named = colon != content.npos;
      require(!named || colon > 0, "a colon without a name before it");
      keys.add(std::string(content.substr(0, named ? colon : 0)),
               content.substr(named ? colon + 1 : 0));
    } catch (const Error& error) {
      throw Error(ErrorCode::InvalidArgument,
                  fmt::format("{}: line {}: {}", path.string(), number, error.what()));
    }
  }
  require(!keys.empty(), fmt::format("{}: expected one key a line, found none", path.string()));
  return keys;
}

void ApiKeys::add(std::string name, std::string_view key) {
  require(is_key(key),
          fmt::format("a key is 1 to {} characters of ASCII without spaces", kMostKey));
  std::string hash = sha256(key);
  if (name.empty()) name = "key-" + encode_hex(hash).substr(0, 12);
  require(is_name(name), fmt::format("a name is 1 to {} letters, digits, dots, underscores and "
                                     "hyphens, and begins with one of the first two",
                                     kMostName));
  for (const Entry& entry : entries_) {
    require(entry.hash != hash, "this key is there already");
    require(entry.name != name, fmt::format("the name '{}' is there already", name));
  }
  entries_.push_back({std::move(name), std::move(hash)});
}

bool ApiKeys::has(std::string_view name) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& entry) { return entry.name == name; });
}

std::optional<std::string> ApiKeys::name_of(std::string_view key) const {
  const std::string hash = sha256(key);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (same_secret(entry.hash, hash)) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return found->name;
}

}  // namespace reel::http
