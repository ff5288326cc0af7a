#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <fstream>
#include <iostream>
#include <thread>

#include "commands.h"
#include "for_flag.h"
#include "generators.h"
#include "perf_dump.h"
#include "reel/base/clock.h"
#include "reel/base/error.h"
#include "reel/base/file_error.h"
#include "reel/base/ids.h"
#include "reel/jobs/input_loader.h"
#include "reel/jobs/job_runner.h"
#include "reel/jobs/media_writer.h"
#include "reel/store/file_blob_store.h"
#include "reel/store/memory_job_store.h"
#include "reel/store/work_folder.h"

namespace reel::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr size_t kLongestName = 240;  // bytes: file systems take 255

constexpr int kInterrupts[] = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t interrupted = 0;

/// Ends the video at its next step; the next one ends the process.
void interrupt(int) {
  interrupted = 1;
  for (const int signal : kInterrupts) std::signal(signal, SIG_DFL);
}

std::vector<std::string> read_prompts(const GenerateFlags& flags) {
  auto prompts = flags.prompts;
  if (!flags.prompt_path.empty()) {
    std::ifstream in(flags.prompt_path);
    require(bool(in) && in.peek() != EOF,
            fmt::format("--prompt-path {}: expected a file of prompts", flags.prompt_path));
    bool first = true;
    for (std::string line; std::getline(in, line); first = false) {
      if (first && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);  // a BOM
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) prompts.push_back(line);
    }
  }
  require(!prompts.empty(), "--prompt or --prompt-path is required");
  return prompts;
}

int quality(const GenerateFlags& flags) {
  if (flags.output_compression) return *flags.output_compression;
  if (flags.output_quality == "maximum") return 100;
  if (flags.output_quality == "high") return 90;
  if (flags.output_quality == "medium") return 55;
  if (flags.output_quality == "low") return 35;
  return 50;
}

/// "{prompt}_{time}_{8 random digits}" of letters that every file system takes.
std::string default_name(const std::string& prompt) {
  constexpr size_t kMost = 100;  // letters of the prompt
  std::string name;
  for (const char c : prompt) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 && byte < 0xc0) continue;  // of the letter before
    name += std::isalnum(byte) || c == '.' || c == '-' ? c : '_';
  }
  name.resize(std::min(name.size(), kMost));
  if (name.starts_with('.')) name.front() = '_';  // not a hidden file
  return fmt::format("{}_{:%Y%m%d-%H%M%S}_{}", name, fmt::localtime(std::time(nullptr)),
                     random_id("").substr(0, 8));
}

const char* path_flag(const GenerateFlags& flags) {
  return flags.output_file_path.empty() ? "--output-path" : "--output-file-path";
}

/// The folder that finished files go to.
fs::path folder_of(const GenerateFlags& flags) {
  const fs::path file = flags.output_file_path;
  std::error_code fault;
  const fs::path here = fs::current_path(fault);
  require(!fault, fmt::format("{}: the working folder: {}", path_flag(flags), fault.message()));
  return (here / (file.empty() ? fs::path(flags.output_path) : file.parent_path()))
      .lexically_normal();
}

/// The name that was asked for, without ".mp4"; "" if none was.
std::string asked_name(const GenerateFlags& flags) {
  const bool with_folder = !flags.output_file_path.empty();
  const std::string& given = with_folder ? flags.output_file_path : flags.output_file_name;
  if (given.empty()) return {};
  const std::string name = with_folder ? fs::path(given).filename().string() : given;
  require(!name.empty() && name != "." && name != ".." && name != ".mp4" &&
              name.size() <= kLongestName && name.find('/') == std::string::npos,
          fmt::format("{}: expected a name of at most {} bytes{}, got '{}'",
                      with_folder ? "--output-file-path" : "--output-file-name", kLongestName,
                      with_folder ? "" : " without folders", given));
  return name.ends_with(".mp4") ? name.substr(0, name.size() - 4) : name;
}

/// Where the next of `files` goes; `made` are there already.
fs::path target(const GenerateFlags& flags, const std::string& prompt, int made, int files) {
  std::string name = asked_name(flags);
  if (name.empty()) {
    name = default_name(prompt);
  } else if (files > 1) {
    name += fmt::format("_{}", made);
  }
  return folder_of(flags) / (name + ".mp4");
}

/// Throws Error(InvalidArgument) if the names that were asked for cannot be.
void check_targets(const GenerateFlags& flags, int files) {
  if (asked_name(flags).empty()) return;
  for (int made = 0; made < files; ++made) {
    const fs::path path = target(flags, {}, made, files);
    std::error_code none;
    require(!fs::is_directory(path, none),
            fmt::format("{}: expected a file, but there is a folder '{}'",
                        flags.output_file_path.empty() ? "--output-file-name" : path_flag(flags),
                        path.string()));
  }
}

/// One line that is drawn over itself on a terminal; elsewhere only what ends it.
void show(const std::string& line, bool last) {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  if (!terminal && !last) return;
  // At once: the log writes there too.
  std::cerr << (terminal ? "\r\033[K" : "") + line + (last ? "\n" : "") << std::flush;
}

std::string bar(int done, int all) {
  constexpr int kWidth = 30;
  const int full = all > 0 ? done * kWidth / all : 0;
  return "[" + std::string(static_cast<size_t>(full), '#') +
         std::string(static_cast<size_t>(kWidth - full), '.') + "]";
}

/// The seconds that loading and, with the warm-up, all took.
std::pair<double, double> wait_until_ready(const gen::Generator& generator) {
  const Stopwatch watch;
  double loaded = 0;
  for (;;) {
    const auto state = generator.state();
    if (state.phase == gen::State::Phase::Failed) throw Error(ErrorCode::BadModel, state.why);
    if (state.phase == gen::State::Phase::Ready) break;
    if (interrupted) throw Error(ErrorCode::Cancelled, "interrupted");
    if (state.fraction < 1) loaded = watch.seconds();
    show(fmt::format("loading {} {:.0f} %", state.stage, state.fraction * 100), false);
    std::this_thread::sleep_for(20ms);
  }
  show(fmt::format("ready after {:.1f} s", watch.seconds()), true);
  return {loaded, watch.seconds()};
}

std::string describe(const jobs::JobProgress& p, const Stopwatch& watch) {
  std::string line =
      fmt::format("{} {}/{} {}", gen::name(p.stage), p.step, p.steps, bar(p.step, p.steps));
  if (p.stage == gen::Stage::Denoising && p.step > 0) {
    line += fmt::format(" {:.2f} s/step", watch.seconds() / p.step);
  }
  if (p.eta_seconds) line += fmt::format(" ETA {:.0f} s", *p.eta_seconds);
  return line;
}

jobs::Job watch_job(jobs::JobStore& store, const std::string& id) {
  Stopwatch stage;
  auto last = gen::Stage::TextEncoding;
  for (bool asked = false;;) {
    auto job = store.wait(id, 100ms);
    if (is_final(job.status)) return job;
    if (job.progress.stage != last) {
      last = job.progress.stage;
      stage.restart();
    }
    show(describe(job.progress, stage), false);
    if (interrupted && !asked) {
      store.cancel(id, "interrupted");
      asked = true;
    }
  }
}

}  // namespace

int generate(const Flags& flags) {
  const auto& g = flags.generate;
  const auto prompts = read_prompts(g);
  const int files = g.request.num_outputs * static_cast<int>(prompts.size());
  check_targets(g, files);
  auto options = flags.model;
  options.dump = g.dump;
  const auto generator = make_generator(std::move(options));

  auto asked = g.request;
  asked.prompt = prompts[0];
  generator->check(asked);  // before pictures are fetched
  jobs::InputOptions inputs;
  inputs.reach = net::Reach::Everything;
  inputs.any_path = true;
  jobs::InputLoader(inputs).load(asked.inputs);

  std::vector<jobs::JobSpec> specs;  // every fault is found before anything is loaded
  for (const auto& prompt : prompts) {
    auto request = asked;
    request.prompt = prompt;
    specs.push_back({jobs::Kind::Video,
                     generator->describe().model,
                     generator->check(request),
                     quality(g),
                     {}});
  }
  int made_files = 0;
  const auto work = for_flag(  // before minutes of loading
      path_flag(g), [&g] { return store::WorkFolder(folder_of(g)); });
  if (!g.dump.empty()) {
    require(specs.size() == 1, fmt::format("--dump: expected one prompt, got {}", specs.size()));
    std::error_code fault;
    fs::create_directories(g.dump, fault);
    if (!fault && ::access(g.dump.c_str(), W_OK) != 0) fault = {errno, std::generic_category()};
    require(!fault, fmt::format("--dump {}: {}", g.dump, fault.message()));
  }
  for (const int signal : kInterrupts) {
    if (std::signal(signal, interrupt) == SIG_IGN) std::signal(signal, SIG_IGN);  // under nohup
  }
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error like a full disk
  const auto [load_s, ready_s] = wait_until_ready(*generator);

  Metrics metrics;
  store::MemoryJobStore jobs(specs.size());
  store::FileBlobStore blobs(work.path());
  jobs::JobRunner runner(jobs, blobs, *generator,
                         jobs::media_writers(generator->describe().model, false), metrics);
  for (size_t i = 0; i < specs.size(); ++i) {
    StepTimes steps;
    const auto listening = jobs.watch([&steps](const jobs::Job& job) { steps.see(job); });
    const Stopwatch watch;
    const auto made = watch_job(jobs, jobs.submit(specs[i]).job.id);
    if (made.status != jobs::Status::Completed) {
      throw Error(
          made.status == jobs::Status::Cancelled ? ErrorCode::Cancelled : ErrorCode::Internal,
          made.error ? made.error->message : "the job did not complete");
    }
    const double total_s = watch.seconds();
    const auto& result = *made.result;
    const jobs::StageSeconds& stages = result.stages;
    show(fmt::format(
             "made in {:.2f} s: text {:.2f}, pictures {:.2f}, denoise {:.2f}, decode {:.2f}; "
             "seed {}",
             result.inference_time_s, stages.text_encode, stages.image_encode + stages.vae_encode,
             stages.denoise, stages.vae_decode, fmt::join(specs[i].request.seeds, ", ")),
         true);
    for (const auto& output : result.outputs) {
      if (!g.save_output) continue;
      const auto path = target(g, prompts[i], made_files++, files);
      std::error_code fault;
      fs::rename(blobs.find(output.blob)->path, path, fault);
      if (fault) throw file_error("create", path, fault.value());
      std::cout << path.string() << '\n';
    }
    if (!g.perf_dump_path.empty()) {
      write_perf_dump(g.perf_dump_path, made, {load_s, ready_s, total_s, steps.seconds()});
    }
  }
  return 0;
}

}  // namespace reel::cli
