#pragma once

#include <ext/pb_ds/assoc_container.hpp>
#include <functional>

#include "reel/jobs/queue_policy.h"

namespace reel::store {

/// Jobs in the order of their turns. Tells how many go before one, and what they cost together, in
/// logarithmic time.
template <class Entry>
class QueueLine {
 public:
  struct Place {
    Entry* entry = nullptr;
    double cost = 0;
  };
  struct Before {
    size_t jobs = 0;
    double cost = 0;
  };

  void add(const jobs::Turn& turn, Entry& entry, double cost) {
    tree_.insert({turn, Place{&entry, cost}});
  }
  void remove(const jobs::Turn& turn) { tree_.erase(turn); }

  bool empty() const { return tree_.empty(); }
  auto begin() const { return tree_.begin(); }
  auto end() const { return tree_.end(); }

  Before before(const jobs::Turn& turn) const {
    Before sum;
    for (auto at = tree_.node_begin(); at != tree_.node_end();) {
      if (!((*at)->first < turn)) {
        at = at.get_l_child();
        continue;
      }
      const auto left = at.get_l_child();
      if (left != tree_.node_end()) sum = plus(sum, left.get_metadata());
      sum = plus(sum, {1, (*at)->second.cost});
      at = at.get_r_child();
    }
    return sum;
  }

 private:
  static Before plus(const Before& a, const Before& b) {
    return {a.jobs + b.jobs, a.cost + b.cost};
  }

  /// Keeps what each subtree comes to.
  template <class NodeConstIterator, class NodeIterator, class Compare, class Allocator>
  struct Sums {
    using metadata_type = Before;
    void operator()(NodeIterator at, NodeConstIterator end) {
      Before sum{1, (*at)->second.cost};
      for (const auto child : {at.get_l_child(), at.get_r_child()}) {
        if (child != end) sum = plus(sum, child.get_metadata());
      }
      const_cast<Before&>(at.get_metadata()) = sum;
    }
  };

  __gnu_pbds::tree<jobs::Turn, Place, std::less<jobs::Turn>, __gnu_pbds::rb_tree_tag, Sums> tree_;
};

}  // namespace reel::store
