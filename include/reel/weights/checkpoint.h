#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reel/weights/param.h"
#include "reel/weights/safetensors.h"

namespace reel::weights {

/// One component's weights on disk: a single safetensors file, or shards with an index.
class Checkpoint {
 public:
  /// Opens `folder/<stem>.safetensors` or `folder/<stem>.safetensors.index.json`; what the index
  /// says must be what the shards hold, and no shard may lie outside the folder by its name (links
  /// are followed: the Hugging Face cache is made of them).
  /// Throws Error(BadModel) saying what is missing or wrong.
  Checkpoint(const std::filesystem::path& folder, std::string_view stem);

  /// Opens one file. Throws Error(BadModel) as SafetensorsFile.
  explicit Checkpoint(const std::filesystem::path& file);

  /// The file that holds `name`; null if there is none.
  const SafetensorsFile* file_of(const std::string& name) const;
  const std::map<std::string, size_t>& names() const { return names_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  void open(const std::filesystem::path& file);
  void check_index(const std::map<std::string, std::string>& weight_map,
                   const std::filesystem::path& index) const;

  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, size_t> names_;  // tensor to its place in files_
};

struct LoadProgress {
  uint64_t bytes = 0;  // of the files, done
  uint64_t total_bytes = 0;
};

struct LoadOptions {
  /// Another name for a parameter, which goes first: UMT5's `shared.weight` is also
  /// `encoder.embed_tokens.weight`, and transformers takes that one where both are present.
  std::map<std::string, std::string> aliases;
  /// A name in the files that is not declared is an error unless this says it is known to be
  /// unused.
  std::function<bool(std::string_view)> unused;
  std::function<void(const LoadProgress&)> on_progress;  // any thread, one call at a time
};

/// Fills `params` from `checkpoint`, in parallel, cast by policy and moved to the set's device,
/// and packs. A tensor already of the right dtype and on the CPU stays the mapping itself.
/// Throws Error(BadModel) listing every missing, unexpected and misshapen name at once, before
/// anything is allocated; on any error the parameters are left as they were.
void load(ParamSet& params, const Checkpoint& checkpoint, const LoadOptions& options = {});

}  // namespace reel::weights
