#include <ATen/ATen.h>
#include <c10/util/ParallelGuard.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "faults.h"
#include "reel/weights/checkpoint.h"
#include "safetensors_header.h"

namespace reel::weights {
namespace {

/// One parameter, and where its value comes from.
struct Task {
  Param* param;
  const SafetensorsFile* file;
  std::string name;  // in the file
  at::Tensor loaded;

  const TensorInfo& info() const { return file->info(name); }
};

/// Finds every parameter's tensor, and finds fault with all that do not fit.
std::vector<Task> plan(ParamSet& params, const Checkpoint& checkpoint, const LoadOptions& options) {
  Faults faults;
  std::vector<Task> tasks;
  std::set<std::string_view> used;
  for (Param& param : params.params()) {
    std::string name = param.name;
    used.insert(param.name);
    const auto alias = options.aliases.find(param.name);
    if (alias != options.aliases.end()) {
      used.insert(alias->second);
      if (checkpoint.file_of(name) == nullptr) name = alias->second;
    }
    const SafetensorsFile* file = checkpoint.file_of(name);
    if (file == nullptr) {
      faults.add(quote(param.name) + " is missing");
      continue;
    }
    const TensorInfo& info = file->info(name);
    const std::string where = file->path().filename().string();
    if (info.shape != param.shape) {
      faults.add(fmt::format("{} in {}: expected [{}], got [{}]", quote(name), where,
                             fmt::join(param.shape, ","), fmt::join(info.shape, ",")));
    } else if (!at::isFloatingType(info.dtype)) {
      faults.add(fmt::format("{} in {}: expected a floating dtype, got {}", quote(name), where,
                             name_of(info.dtype)));
    } else {
      tasks.push_back({&param, file, std::move(name), {}});
    }
  }
  for (const auto& [name, place] : checkpoint.names()) {
    if (!used.contains(name) && !(options.unused && options.unused(name))) {
      faults.add(fmt::format("{} in {} is unexpected", quote(name),
                             checkpoint.file_of(name)->path().filename().string()));
    }
  }
  faults.raise(checkpoint.folder());
  return tasks;
}

/// Counts bytes from many threads and tells them one call at a time.
class Meter {
 public:
  Meter(uint64_t total, const std::function<void(const LoadProgress&)>& tell)
      : progress_{0, total}, tell_(tell) {}

  void add(uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    progress_.bytes += bytes;
    if (tell_) tell_(progress_);
  }

 private:
  std::mutex mutex_;
  LoadProgress progress_;
  const std::function<void(const LoadProgress&)>& tell_;
};

void load_one(Task& task, const ParamSet& params, Meter& meter) {
  const TensorInfo& info = task.info();
  const at::ScalarType dtype = params.dtype_of(*task.param);
  if (params.device().is_cpu() && info.dtype == dtype) {
    task.file->read_ahead(task.name);
    task.loaded = task.file->tensor(task.name);
    meter.add(info.bytes);
    return;
  }
  task.loaded = at::empty(info.shape, at::TensorOptions(params.device()).dtype(dtype));
  task.file->copy_to(task.loaded, task.name, [&](uint64_t bytes) { meter.add(bytes); });
}

int thread_count() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 8);
}

}  // namespace

void load(ParamSet& params, const Checkpoint& checkpoint, const LoadOptions& options) {
  std::vector<Task> tasks = plan(params, checkpoint, options);
  uint64_t total = 0;
  for (const Task& task : tasks) total += task.info().bytes;
  // The order of the files, so that a disk reads forward.
  std::sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) {
    return std::tuple(a.file, a.info().offset) < std::tuple(b.file, b.info().offset);
  });

  Meter meter(total, options.on_progress);
  std::atomic<size_t> next = 0;
  std::mutex failure_mutex;
  std::exception_ptr failure;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < thread_count(); ++i) {
      threads.emplace_back([&] {
        // These threads are the parallelism: a copy must not start a team of its own.
        const c10::ParallelGuard no_teams(true);
        try {
          for (size_t i; (i = next++) < tasks.size();) load_one(tasks[i], params, meter);
        } catch (...) {
          next = tasks.size();
          const std::scoped_lock lock(failure_mutex);
          if (!failure) failure = std::current_exception();
        }
      });
    }
  }
  if (failure) std::rethrow_exception(failure);
  for (Task& task : tasks) task.param->tensor = std::move(task.loaded);
  params.pack();
  for (const Task& task : tasks) {
    if (!task.param->tensor.defined()) task.file->give_back(task.name);  // packed: not read again
  }
}

}  // namespace reel::weights
