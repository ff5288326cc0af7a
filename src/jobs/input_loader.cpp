#include "reel/jobs/input_loader.h"

#include <fmt/format.h>

#include <algorithm>

#include "reel/base/clock.h"
#include "reel/base/digest.h"
#include "reel/base/error.h"
#include "reel/base/read_file.h"
#include "reel/media/image_decoder.h"
#include "reel/media/video_decoder.h"

namespace reel::jobs {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFetching = 16, kDecoding = 4;  // threads
constexpr size_t kMostWaiting = 64;              // of each kind

bool is_url(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://");
}

[[noreturn]] void refuse(const std::string& field, std::string_view why) {
  throw Error(ErrorCode::InvalidArgument, fmt::format("{}: {}", field, why), field);
}

std::string decode_data_url(const std::string& source, const std::string& field) {
  const size_t comma = source.find(',');
  const auto head = std::string_view(source).substr(0, comma);
  if (comma == std::string::npos || !head.ends_with(";base64")) {
    refuse(field, "expected data:…;base64,…");
  }
  auto bytes = decode_base64(std::string_view(source).substr(comma + 1));
  if (!bytes) refuse(field, "expected base64 after data:…,");
  return *std::move(bytes);
}

void decode(std::string_view file, const InputOptions& options, gen::ImageInput& input,
            gen::Image& image) {
  image = media::decode_image(file, {.bytes = options.bytes});
  input.frames = 1;
}

void decode(std::string_view file, const InputOptions& options, gen::VideoInput& input,
            gen::Frames& frames) {
  media::VideoLimits limits;
  limits.picture.bytes = options.bytes;
  frames = media::decode_video(file, limits);
  input.frames = frames.count;
}

/// Keeps `used` right while the content lives.
template <class Content>
std::shared_ptr<const Content> counted(Content content,
                                       const std::shared_ptr<std::atomic<uint64_t>>& used) {
  const uint64_t bytes = content.rgb.size();
  *used += bytes;
  return {new Content(std::move(content)), [used, bytes](const Content* gone) {
            delete gone;
            *used -= bytes;
          }};
}

}  // namespace

InputLoader::InputLoader(InputOptions options)
    : options_(std::move(options)),
      used_(std::make_shared<std::atomic<uint64_t>>(0)),
      fetching_(kFetching),
      decoding_(kDecoding) {
  for (fs::path& root : options_.roots) {
    root = fs::weakly_canonical(root);
    if (!root.has_filename()) root = root.parent_path();
  }
}

std::future<gen::Inputs> InputLoader::begin(gen::Inputs inputs, std::stop_token unwanted) {
  bool fetches = false;
  gen::for_each(inputs, [&](const char*, const auto& input) { fetches |= is_url(input.source); });
  Task task([this, inputs = std::move(inputs), unwanted = std::move(unwanted)]() mutable {
    if (!unwanted.stop_requested()) load(inputs);
    return std::move(inputs);
  });
  auto future = task.get_future();
  (fetches ? fetching_ : decoding_).add(std::move(task));
  return future;
}

InputLoader::Lane::~Lane() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void InputLoader::Lane::add(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (tasks_.size() >= kMostWaiting) {
      throw Error(ErrorCode::QueueFull, "too many requests wait for their pictures and videos");
    }
    tasks_.push_back(std::move(task));
    if (threads_.size() < most_threads_) {
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }
  added_.notify_one();
}

void InputLoader::Lane::work(const std::stop_token& stop) {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      if (!added_.wait(lock, stop, [this] { return !tasks_.empty(); }) || stop.stop_requested()) {
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void InputLoader::load(gen::Inputs& inputs) const {
  const Stopwatch watch;
  gen::for_each(inputs, [&](const char*, auto& input) {
    if (!input.content) load(input, std::max(options_.timeout_s - watch.seconds(), 0.001));
  });
}

template <class Content>
void InputLoader::load(gen::Input<Content>& input, double seconds) const {
  const std::string& field = input.field;
  if (input.source.empty()) refuse(field, "the one that job had is not kept: send it again");
  if (*used_ > options_.memory) {
    throw Error(ErrorCode::QueueFull,
                fmt::format("{}: the inputs of jobs that wait take all the memory", field), field);
  }
  try {
    Content content;
    std::error_code none;
    if (options_.any_path && fs::is_directory(input.source, none)) {
      if constexpr (std::is_same_v<Content, gen::Frames>) {
        content = media::read_frames(input.source);
        input.frames = content.count;
        const auto* bytes = reinterpret_cast<const char*>(content.rgb.data());
        input.sha256 = encode_hex(sha256({bytes, content.rgb.size()}));
        input.bytes = content.rgb.size();
      } else {
        refuse(field, "expected a file, got a folder");
      }
    } else {
      const std::string file = read(input.source, field, seconds);
      decode(file, options_, input, content);
      input.sha256 = encode_hex(sha256(file));
      input.bytes = file.size();
    }
    input.width = content.width;
    input.height = content.height;
    input.content = counted(std::move(content), used_);
    input.source.clear();
  } catch (const Error& error) {
    if (!error.param().empty()) throw;
    const bool theirs = error.code() == ErrorCode::Unsupported;  // 415 is about the whole body
    throw Error(theirs ? ErrorCode::InvalidArgument : error.code(),
                fmt::format("{}: {}", field, error.what()), field);
  }
}

std::string InputLoader::read(const std::string& source, const std::string& field,
                              double seconds) const {
  if (source.starts_with("data:")) return decode_data_url(source, field);
  if (!is_url(source)) {
    return read_file(allowed(source, field), options_.bytes, ErrorCode::InvalidArgument);
  }
  net::Limits limits;
  limits.timeout_s = seconds;
  limits.max_bytes = options_.bytes;
  return net::fetch(source, options_.reach, limits, field);
}

fs::path InputLoader::allowed(const std::string& source, const std::string& field) const {
  if (options_.any_path) return source;
  std::error_code fault;
  const fs::path path = fs::canonical(source, fault);  // of what links lead to
  for (const fs::path& root : options_.roots) {
    const auto [end, at] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
    if (!fault && end == root.end()) return path;
  }
  // The same for what is there and what is not: paths are not to be found out.
  refuse(field, "expected a file, its URL, or a path that this server allows");
}

}  // namespace reel::jobs
