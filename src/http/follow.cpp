#include "follow.h"

#include <fmt/format.h>

#include <utility>

#include "job_json.h"
#include "reel/base/clock.h"

namespace reel::http {
namespace {

constexpr double kQuiet = 15;                // seconds; then proxies and we want a sign of life
constexpr size_t kPiece = size_t{64} << 10;  // bytes before the client must have read them

/// What one client follows. One thread at a time.
class Follower {
 public:
  using Tell = std::function<std::string(const EventFeed::Event&)>;

  Follower(const Api& api, std::string id, uint64_t at, Tell tell)
      : api_(api), id_(std::move(id)), at_(at), tell_(std::move(tell)) {}

  bool ready() {
    if (!begun_ || event_ || lost_ || quiet_.seconds() > kQuiet) return true;
    look();
    return event_ || lost_;
  }

  std::string next(bool& last) {
    std::string text;
    if (!event_ && !lost_) look();
    if (std::exchange(lost_, false)) {
      text = id_.empty() ? sse("lost", json_reply({{"type", "lost"}}).body) : now(last);
    }
    while (!last && event_ && text.size() < kPiece) {
      text += tell_(*event_);
      last = !id_.empty() && jobs::is_final(event_->job.status);
      event_.reset();
      if (!last) look();
      if (lost_) break;  // that is told first
    }
    if (text.empty() && (!begun_ || quiet_.seconds() > kQuiet)) text = now(last) + ":\n\n";
    begun_ = true;
    if (!text.empty()) quiet_.restart();
    return text;
  }

 private:
  void look() {
    // Who begins with one job has lost nothing of it.
    const bool can_lose = id_.empty() || at_ > 0;
    event_ = api_.events.next(at_, id_, can_lose ? &lost_ : nullptr);
  }

  /// What the job is now, if one is followed.
  std::string now(bool& last) {
    if (id_.empty()) return {};
    at_ = api_.events.newest();
    event_.reset();  // older than what is told now
    const auto job = api_.services.jobs.find(id_);
    last = !job || jobs::is_final(job->status);
    if (!job) return {};
    const bool working = job->status == jobs::Status::InProgress;
    return tell_({at_, working ? "progress" : wire_status(job->status), *job});
  }

  const Api& api_;
  const std::string id_;
  uint64_t at_;  // number of the last event seen
  const Tell tell_;
  std::optional<EventFeed::Event> event_;  // seen, not told
  bool begun_ = false;
  bool lost_ = false;  // events that were not told
  Stopwatch quiet_;
};

}  // namespace

std::string sse(std::string_view type, const std::string& data, std::string_view id) {
  std::string text;
  if (!id.empty()) text = fmt::format("id: {}\n", id);
  return text + fmt::format("event: {}\ndata: {}\n\n", type, data);
}

Events follow(const Api& api, std::string id, uint64_t after, Follower::Tell tell) {
  const auto follower = std::make_shared<Follower>(api, std::move(id), after, std::move(tell));
  Events events;
  events.head.content_type = "text/event-stream";
  events.head.headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
  events.ready = [follower] { return follower->ready(); };
  events.next = [follower](bool& last) { return follower->next(last); };
  events.gone = [] {};
  return events;
}

}  // namespace reel::http
