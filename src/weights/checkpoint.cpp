#include "reel/weights/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "faults.h"
#include "reel/base/error.h"
#include "reel/base/model_file.h"
#include "safetensors_header.h"

namespace reel::weights {
namespace fs = std::filesystem;
namespace {

constexpr uintmax_t kMaxIndex = 100'000'000;

[[noreturn]] void bad(const fs::path& path, const std::string& what) {
  throw Error(ErrorCode::BadModel, path.string() + ": " + what);
}

/// Why there is no checkpoint to open.
std::string what_instead(const fs::path& folder, const std::string& single) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return "is no folder";
  std::vector<std::string> pickles;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".bin" || extension == ".pt" || extension == ".pth") {
      pickles.push_back(entry.path().filename().string());
    }
  }
  const std::string missing = fmt::format("has no {0} and no {0}.index.json", single);
  if (pickles.empty()) return missing;
  return fmt::format(
      "{}; {} is a pickle, which can run code when it is read: convert it to "
      "safetensors",
      missing, quote(*std::min_element(pickles.begin(), pickles.end())));
}

/// `weight_map` of an index: tensor to shard.
class IndexParser final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit IndexParser(const fs::path& path) : path_(path) {}

  std::map<std::string, std::string> weight_map;
  bool seen = false;

  bool start_object(size_t) override {
    if (++depth_ > 2) bad(path_, "is nested too deep");
    in_map_ = depth_ == 2 && key_ == "weight_map";
    if (in_map_ && std::exchange(seen, true)) bad(path_, "\"weight_map\" occurs twice");
    return true;
  }
  bool end_object() override {
    --depth_;
    in_map_ = false;
    return true;
  }
  bool start_array(size_t) override { bad(path_, "has an array in " + quote(key_)); }
  bool end_array() override { return true; }
  bool key(string_t& key) override {
    key_ = key;
    if (in_map_ && weight_map.contains(key)) bad(path_, quote(key) + " occurs twice");
    return true;
  }
  bool string(string_t& value) override {
    if (in_map_) {
      weight_map.emplace(key_, value);
      return true;
    }
    return other();
  }
  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(number_integer_t) override { return other(); }
  bool number_unsigned(number_unsigned_t) override { return other(); }
  bool number_float(number_float_t, const string_t&) override { return other(); }
  bool binary(binary_t&) override { return other(); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    bad(path_, fmt::format("is no JSON at byte {}", position));
  }

 private:
  bool other() const {
    if (depth_ == 0) bad(path_, "is no JSON object");
    if (in_map_) bad(path_, quote(key_) + " must be the name of a file");
    return true;  // metadata: notes
  }

  const fs::path& path_;
  int depth_ = 0;
  bool in_map_ = false;
  std::string key_;
};

std::map<std::string, std::string> read_index(const fs::path& path) {
  IndexParser parser(path);
  nlohmann::json::sax_parse(read_model_file(path, kMaxIndex), &parser);
  if (parser.weight_map.empty()) bad(path, "expected an object \"weight_map\" of tensors to files");
  for (const auto& [name, shard] : parser.weight_map) {
    // A plain name: nothing absolute, nothing above, nothing below.
    if (shard.empty() || shard == "." || shard == ".." || shard.find('/') != shard.npos ||
        shard.find('\0') != shard.npos || !shard.ends_with(".safetensors")) {
      bad(path, fmt::format("{} is said to lie in {}, expected the name of a safetensors file in "
                            "this folder",
                            quote(name), quote(shard)));
    }
  }
  return std::move(parser.weight_map);
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& folder, std::string_view stem) : path_(folder) {
  const std::string single = std::string(stem) + ".safetensors";
  const fs::path index = folder / (single + ".index.json");
  // Where both are there, Diffusers takes the shards, transformers the one file.
  const bool prefers_shards = stem != "model" && is_there(index);
  if (!prefers_shards && is_there(folder / single)) {
    open(folder / single);
  } else if (is_there(index)) {
    const auto weight_map = read_index(index);
    std::set<std::string> shards;
    for (const auto& [name, shard] : weight_map) shards.insert(shard);
    Faults missing;
    for (const std::string& shard : shards) {
      if (!is_there(folder / shard)) missing.add(quote(shard) + " is missing");
    }
    missing.raise(index);
    for (const std::string& shard : shards) open(folder / shard);
    check_index(weight_map, index);
  } else {
    bad(folder, what_instead(folder, single));
  }
}

Checkpoint::Checkpoint(const fs::path& file) : path_(file) { open(file); }

void Checkpoint::open(const fs::path& path) {
  const SafetensorsFile& file = files_.emplace_back(path);
  for (const auto& [name, info] : file.tensors()) {
    const auto [place, fresh] = names_.emplace(name, files_.size() - 1);
    if (!fresh) {
      bad(path, fmt::format("{} is also in {}", quote(name),
                            files_[place->second].path().filename().string()));
    }
  }
}

void Checkpoint::check_index(const std::map<std::string, std::string>& weight_map,
                             const fs::path& index) const {
  Faults faults;
  for (const auto& [name, shard] : weight_map) {
    const SafetensorsFile* file = file_of(name);
    if (file == nullptr || file->path().filename() != shard) {
      faults.add(fmt::format("{} is not in {}", quote(name), quote(shard)));
    }
  }
  for (const auto& [name, place] : names_) {
    if (!weight_map.contains(name)) {
      faults.add(fmt::format("{} of {} is not listed", quote(name),
                             files_[place].path().filename().string()));
    }
  }
  faults.raise(index);
}

const SafetensorsFile* Checkpoint::file_of(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &files_[found->second];
}

}  // namespace reel::weights
