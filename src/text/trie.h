#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reel::text {

/// Finds which of many keys a text goes on with. Empty keys are never found; of equal keys the
/// last counts.
class Trie {
 public:
  using Key = std::pair<std::string_view, int32_t>;

  explicit Trie(std::vector<Key> keys);

  /// Calls `found(length, value)` for each key that stands at `at`, shortest first.
  template <class Found>
  void prefixes(std::string_view text, size_t at, Found&& found) const {
    uint32_t node = 0;
    for (size_t i = at; i < text.size(); ++i) {
      const Node& parent = nodes_[node];
      const auto first = labels_.begin() + parent.first_child;
      const auto last = first + parent.children;
      const auto label = static_cast<unsigned char>(text[i]);
      const auto child = std::lower_bound(first, last, label);
      if (child == last || *child != label) return;
      node = static_cast<uint32_t>(child - labels_.begin());
      if (nodes_[node].value != kNone) found(i + 1 - at, nodes_[node].value);
    }
  }

  /// The value of the whole text as a key, or -1.
  int32_t find(std::string_view text) const;

  static constexpr int32_t kNone = -1;

 private:
  struct Node {
    uint32_t first_child = 0;
    uint32_t children = 0;
    int32_t value = kNone;
  };

  std::vector<Node> nodes_;  // siblings stand together, sorted by label
  std::vector<unsigned char> labels_;
};

}  // namespace reel::text
