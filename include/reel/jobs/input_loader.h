#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "reel/gen/inputs.h"
#include "reel/net/fetch.h"

namespace reel::jobs {

struct InputOptions {
  net::Reach reach = net::Reach::Public;       // of URLs
  bool any_path = false;                       // every path is taken, as on a command line
  std::vector<std::filesystem::path> roots{};  // else those below these
  size_t bytes = size_t{32} << 20;             // of one file
  double timeout_s = 30;                       // for all that one request brings by URL
  uint64_t memory = uint64_t{8} << 30;         // bytes of all contents that are alive
};

/// Fetches and decodes what requests bring. Any thread.
class InputLoader {
 public:
  explicit InputLoader(InputOptions options = {});
  ~InputLoader() = default;  // finishes what was begun, drops what was not

  /// Loads every input that is not loaded yet. Throws Error with the input's field as param: it
  /// cannot be had, is broken, over a limit, of a kind that is not read, or belonged to a job that
  /// has ended; QueueFull while other requests' contents take all the memory.
  void load(gen::Inputs& inputs) const;

  /// The same on a thread of the loader's, unless it is `unwanted` before one is free. Throws
  /// Error(QueueFull) while too many wait for one.
  std::future<gen::Inputs> begin(gen::Inputs inputs, std::stop_token unwanted = {});

 private:
  using Task = std::packaged_task<gen::Inputs()>;

  /// Threads for one kind of work, which begin it in order.
  class Lane {
   public:
    explicit Lane(size_t most_threads) : most_threads_(most_threads) {}
    ~Lane();
    void add(Task task);  // throws Error(QueueFull)

   private:
    void work(const std::stop_token& stop);

    const size_t most_threads_;
    std::mutex mutex_;
    std::condition_variable_any added_;
    std::deque<Task> tasks_;
    std::vector<std::jthread> threads_;  // last: they use the rest
  };

  std::string read(const std::string& source, const std::string& field, double seconds) const;
  std::filesystem::path allowed(const std::string& path, const std::string& field) const;

  template <class Content>
  void load(gen::Input<Content>& input, double seconds) const;

  InputOptions options_;
  std::shared_ptr<std::atomic<uint64_t>> used_;  // bytes of the contents that are alive

  // Last: their threads use the rest. Who waits for the network holds up no upload.
  Lane fetching_, decoding_;
};

}  // namespace reel::jobs
