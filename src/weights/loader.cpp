#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/ranges.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "faults.h"
#include "reel/weights/checkpoint.h"
#include "safetensors_header.h"

namespace reel::weights {
namespace {

struct Packing;

/// One parameter, and where its value comes from.
struct Task {
  Param* param;
  const SafetensorsFile* file;
  std::string name;  // in the file
  at::Tensor loaded;
  Packing* packing = nullptr;  // that it is a source of

  const TensorInfo& info() const { return file->info(name); }
};

/// One packed form, made by whoever loads the last of its sources.
struct Packing {
  explicit Packing(Packed& form) : packed(&form), waiting(form.sources.size()) {}

  void source_loaded() {
    if (--waiting > 0) return;
    std::vector<at::Tensor> tensors;
    for (const Task* source : sources) tensors.push_back(source->loaded);
    made = packed->recipe(tensors);
    tensors.clear();
    for (Task* source : sources) {
      source->loaded.reset();
      source->file->give_back(source->name);  // not read again
    }
  }

  Packed* packed;
  std::vector<Task*> sources;
  std::atomic<size_t> waiting;
  at::Tensor made;
};

/// Null unless a tensor of this name tells of a file that is no model's plain weights.
const char* kind_instead(std::string_view name) {
  if (name.find("lora_") != name.npos) return "it is a LoRA, which is not served yet";
  if (name.ends_with("scale_weight") || name.ends_with("weight_scale") || name == "scaled_fp8") {
    return "it is quantised with scales, which is not served yet";
  }
  return nullptr;
}

/// Finds every parameter's tensor, and finds fault with all that do not fit.
std::vector<Task> plan(ParamSet& params, const Checkpoint& checkpoint, const LoadOptions& options) {
  for (const auto& [name, place] : checkpoint.names()) {
    if (const char* other = kind_instead(name)) {
      throw Error(ErrorCode::BadModel,
                  fmt::format("{}: has {}: {}", checkpoint.path().string(), quote(name), other));
    }
  }
  Faults faults;
  std::vector<Task> tasks;
  std::set<std::string_view> used;
  for (Param& param : params.params()) {
    std::string name = param.name;
    used.insert(param.name);
    const auto alias = options.aliases.find(param.name);
    if (alias != options.aliases.end()) {
      used.insert(alias->second);
      if (checkpoint.file_of(alias->second) != nullptr) name = alias->second;
    }
    const SafetensorsFile* file = checkpoint.file_of(name);
    if (file == nullptr) {
      const bool has_alias = alias != options.aliases.end();
      faults.add(quote(param.name) + (has_alias ? " or " + quote(alias->second) : "") +
                 " is missing");
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
  faults.raise(checkpoint.path());
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

std::deque<Packing> plan_packing(ParamSet& params, std::vector<Task>& tasks) {
  std::map<const Param*, Task*> task_of;
  for (Task& task : tasks) task_of[task.param] = &task;
  std::deque<Packing> packings;
  for (Packed& packed : params.packed()) {
    Packing& packing = packings.emplace_back(packed);
    for (const Param* source : packed.sources) {
      packing.sources.push_back(task_of.at(source));
      packing.sources.back()->packing = &packing;
    }
  }
  return packings;
}

/// More would wait for the same memory.
constexpr int kMaxThreads = 8;

}  // namespace

void load(ParamSet& params, const Checkpoint& checkpoint, const LoadOptions& options) {
  std::vector<Task> tasks = plan(params, checkpoint, options);
  uint64_t total = 0;
  for (const Task& task : tasks) total += task.info().bytes;
  // The order of the files, so that a disk reads forward.
  std::sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) {
    return std::tuple(a.file, a.info().offset) < std::tuple(b.file, b.info().offset);
  });

  std::deque<Packing> packings = plan_packing(params, tasks);

  Meter meter(total, options.on_progress);
  std::atomic<size_t> next = 0;
  // libtorch's own team: what its threads call runs alone.
  at::parallel_for(0, std::min(at::get_num_threads(), kMaxThreads), 1, [&](int64_t, int64_t) {
    const c10::InferenceMode off(false);  // whatever the caller's: LoRA writes into parameters
    try {
      for (size_t i; (i = next++) < tasks.size();) {
        load_one(tasks[i], params, meter);
        if (tasks[i].packing) tasks[i].packing->source_loaded();
      }
    } catch (...) {
      next = tasks.size();
      throw;  // rethrown to our caller, if it was the first
    }
  });
  ::malloc_trim(0);  // the holes that sources of packed forms left
  for (Task& task : tasks) task.param->tensor = std::move(task.loaded);
  for (Packing& packing : packings) packing.packed->tensor = std::move(packing.made);
}

}  // namespace reel::weights
