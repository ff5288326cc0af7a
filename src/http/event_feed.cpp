#include "event_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "job_json.h"
#include "reel/base/ids.h"

namespace reel::http {

EventFeed::EventFeed(jobs::JobStore& jobs)
    : process_(random_id("").substr(0, 8)),
      watch_(jobs.watch([this](const jobs::Job& job) { add(job); })) {}

void EventFeed::add(const jobs::Job& job) {
  const std::lock_guard lock(mutex_);
  std::string_view type = wire_status(job.status);
  if (job.status == jobs::Status::InProgress) {
    const bool first = at_work_.insert(job.id).second;
    type = first ? "started" : job.progress.preview ? "preview" : "progress";
  } else {
    at_work_.erase(job.id);
  }
  events_.push_back({++newest_, type, job});
  if (events_.size() > kKept) events_.pop_front();
}

std::optional<EventFeed::Event> EventFeed::next(uint64_t& at, const std::string& id,
                                                bool* lost) const {
  const std::lock_guard lock(mutex_);
  if (lost != nullptr && at + 1 < first()) *lost = true;
  for (at = std::max(at + 1, first()); at <= newest_; ++at) {
    const Event& event = events_[at - first()];
    if (id.empty() || event.job.id == id) return event;
  }
  at = newest_;
  return std::nullopt;
}

uint64_t EventFeed::newest() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

std::string EventFeed::name_of(uint64_t number) const {
  return fmt::format("{}-{}", process_, number);
}

std::optional<uint64_t> EventFeed::number_of(std::string_view name) const {
  const std::string prefix = process_ + "-";
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  uint64_t number = 0;
  const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (fault != std::errc{} || end != name.data() + name.size() || number > newest()) {
    return std::nullopt;
  }
  return number;
}

}  // namespace reel::http
