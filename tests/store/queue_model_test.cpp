#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "asked_job.h"

// Random calls to a store and to a model of its queue, which must agree.
namespace reel::store {
namespace {

using namespace std::chrono_literals;
using jobs::QueueOrder;

/// What the queue should be, as slow and as plain as can be.
struct Model {
  struct Entry {
    std::string id;
    Asked asked;
    double begins = 0;
    int percent = 0;
    enum At { Queued, PutBack, Running, Ended } at = Queued;
    double until() const { return begins + asked.cost; }
  };

  QueueOrder order;
  std::vector<Entry> all{};  // in the order of submission

  void submit(const std::string& id, const Asked& asked) {
    double begins = 0;
    for (const Entry& e : all) {
      if (e.asked.priority != asked.priority) continue;
      if (was_taken(e)) begins = std::max(begins, e.begins);
      if (e.asked.owner == asked.owner && (was_taken(e) || e.at == Entry::Queued)) {
        begins = std::max(begins, e.until());
      }
    }
    all.push_back({id, asked, begins});
  }

  std::set<std::string> taken{};
  bool was_taken(const Entry& e) const { return taken.contains(e.id); }

  double rank(const Entry& e, double share = 1) const {
    const double left = e.asked.cost * (1 - e.percent / 100.0);
    return e.begins + (order == QueueOrder::Shortest ? 8 * left * share : 0);
  }
  bool before(const Entry& a, const Entry& b) const {
    if (a.asked.priority != b.asked.priority) return a.asked.priority > b.asked.priority;
    return rank(a) != rank(b) ? rank(a) < rank(b) : &a < &b;
  }
  std::vector<Entry*> line() {
    std::vector<Entry*> waiting;
    for (Entry& e : all) {
      if (e.at == Entry::Queued || e.at == Entry::PutBack) waiting.push_back(&e);
    }
    std::sort(waiting.begin(), waiting.end(), [&](auto* a, auto* b) { return before(*a, *b); });
    return waiting;
  }
  bool is_preempted(const Entry& running) {
    const auto waiting = line();
    if (waiting.empty()) return false;
    for (const Entry& e : all) {
      if (e.at == Entry::Running && before(running, e)) return false;
    }
    const Entry& first = *waiting.front();
    if (first.asked.priority != running.asked.priority) {
      return first.asked.priority > running.asked.priority;
    }
    return order == QueueOrder::Shortest && rank(first) < rank(running, 0.5);
  }
};

class JobQueueModel : public testing::TestWithParam<QueueOrder> {};

TEST_P(JobQueueModel, AgreesWithTheStore) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    MemoryJobStore store(1000, 0s, {.order = GetParam()});
    Model model{GetParam()};
    using Entry = Model::Entry;
    const auto some = [&](auto wanted) -> Entry* {
      std::vector<Entry*> found;
      for (Entry& e : model.all) {
        if (wanted(e)) found.push_back(&e);
      }
      return found.empty() ? nullptr : found[static_cast<size_t>(pick(int(found.size())))];
    };
    const auto runs = [](const Entry& e) { return e.at == Entry::Running; };
    for (int i = 0; i < 300; ++i) {
      const int what = pick(10);
      if (what < 4) {
        const Asked asked{1 + pick(100), std::string(1, static_cast<char>('a' + pick(3))), pick(3)};
        model.submit(submit(store, asked), asked);
      } else if (what < 6) {
        const auto line = model.line();
        if (line.empty()) continue;
        ASSERT_EQ(take(store), line.front()->id) << seed;
        line.front()->at = Entry::Running;
        model.taken.insert(line.front()->id);
      } else if (what == 6) {
        Entry* e = some(runs);
        if (e == nullptr) continue;
        e->percent = std::min(99, e->percent + pick(50));
        advance(store, e->id, e->percent);
      } else if (what == 7) {
        Entry* e = some(runs);
        if (e == nullptr) continue;
        ASSERT_TRUE(store.put_back(e->id));
        e->at = Entry::PutBack;
      } else {
        Entry* e =
            what == 8 ? some(runs) : some([](const Entry& x) { return x.at != Entry::Ended; });
        if (e == nullptr) continue;
        if (what == 8) {
          ASSERT_TRUE(store.complete(e->id, {}));
        } else {
          store.cancel(e->id, "test");
        }
        e->at = Entry::Ended;
      }
      const auto line = model.line();
      for (size_t place = 0; place < line.size(); ++place) {
        if (line[place]->at != Entry::Queued) continue;
        ASSERT_EQ(store.get(line[place]->id).queue_position, place) << seed << ' ' << i;
      }
      for (const Entry& e : model.all) {
        ASSERT_EQ(store.is_preempted(e.id), runs(e) && model.is_preempted(e)) << seed << ' ' << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, JobQueueModel,
                         testing::Values(QueueOrder::Fifo, QueueOrder::Shortest),
                         [](const auto& info) {
                           return info.param == QueueOrder::Fifo ? "Fifo" : "Shortest";
                         });

}  // namespace
}  // namespace reel::store
