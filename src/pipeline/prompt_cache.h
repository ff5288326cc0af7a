#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <list>
#include <optional>
#include <utility>
#include <vector>

namespace reel::pipeline {

/// Embeddings of the prompts used last, by their tokens and the length they were padded to.
/// One thread.
class PromptCache {
 public:
  using Ids = std::vector<int32_t>;

  explicit PromptCache(size_t capacity) : capacity_(capacity) {}

  std::optional<at::Tensor> find(const Ids& ids, int length) {
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->length != length || entry->ids != ids) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return entry->embeds;
    }
    return std::nullopt;
  }

  /// The one used longest ago makes room.
  void insert(Ids ids, int length, at::Tensor embeds) {
    entries_.push_front({std::move(ids), length, std::move(embeds)});
    if (entries_.size() > capacity_) entries_.pop_back();
  }

 private:
  struct Entry {
    Ids ids;
    int length;
    at::Tensor embeds;
  };

  size_t capacity_;
  std::list<Entry> entries_;  // the last used first
};

}  // namespace reel::pipeline
