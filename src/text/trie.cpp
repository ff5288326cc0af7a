#include "trie.h"

namespace reel::text {

Trie::Trie(std::vector<Key> keys) {
  std::stable_sort(keys.begin(), keys.end(),
                   [](const Key& a, const Key& b) { return a.first < b.first; });
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, keys.size(), 0}};  // of the keys below each node
  nodes_.emplace_back();
  labels_.push_back(0);
  for (size_t node = 0; node < nodes_.size(); ++node) {
    auto [at, end, depth] = ranges[node];
    for (; at < end && keys[at].first.size() == depth; ++at) {
      if (depth > 0) nodes_[node].value = keys[at].second;
    }
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (at < end) {
      const char label = keys[at].first[depth];
      const size_t begin = at;
      while (at < end && keys[at].first[depth] == label) ++at;
      nodes_.emplace_back();
      labels_.push_back(static_cast<unsigned char>(label));
      ranges.push_back({begin, at, depth + 1});
    }
    nodes_[node].children = static_cast<uint32_t>(nodes_.size()) - nodes_[node].first_child;
  }
}

int32_t Trie::find(std::string_view text) const {
  int32_t value = kNone;
  prefixes(text, 0, [&](size_t length, int32_t v) {
    if (length == text.size()) value = v;
  });
  return value;
}

}  // namespace reel::text
