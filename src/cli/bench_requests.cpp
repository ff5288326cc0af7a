#include "bench_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "reel/base/error.h"

namespace reel::cli {
namespace {

using nlohmann::json;

std::vector<std::string> prompts_of(const BenchFlags& flags) {
  std::vector<std::string> prompts;
  if (!flags.dataset_path.empty()) {
    std::ifstream in(flags.dataset_path);
    require(bool(in), fmt::format("--dataset-path {}: cannot be opened", flags.dataset_path));
    for (std::string line; std::getline(in, line);) {
      if (!line.empty()) prompts.push_back(line);
    }
    require(!prompts.empty(), fmt::format("--dataset-path {}: has no prompt", flags.dataset_path));
  } else {
    require(flags.dataset == "random", "--dataset vbench: give its prompts with --dataset-path");
    for (int i = 0; i < flags.num_prompts; ++i) {
      prompts.push_back(fmt::format("Random prompt {} for benchmarking diffusion models", i));
    }
  }
  return prompts;
}

struct Profile {
  BenchRequest request;
  double weight = 1;
};

Profile profile_of(const json& given) {
  constexpr const char* kFlag = "--random-request-config";
  Profile profile;
  BenchRequest& request = profile.request;
  const std::pair<const char*, std::optional<int>*> fields[] = {
      {"width", &request.width},
      {"height", &request.height},
      {"num_frames", &request.num_frames},
      {"fps", &request.fps},
      {"num_inference_steps", &request.num_inference_steps}};
  require(given.is_object(), fmt::format("{}: expected objects, got {}", kFlag, given.dump()));
  for (const auto& [name, value] : given.items()) {
    if (name == "weight") {
      require(value.is_number() && value > 0,
              fmt::format("{}: weight: expected a number above 0, got {}", kFlag, value.dump()));
      profile.weight = value;
      continue;
    }
    const auto* field = std::find_if(std::begin(fields), std::end(fields),
                                     [&](const auto& one) { return one.first == name; });
    require(field != std::end(fields), fmt::format("{}: it has no '{}'", kFlag, name));
    require(value.is_number_integer() && value > 0,
            fmt::format("{}: {}: expected an integer above 0, got {}", kFlag, name, value.dump()));
    *field->second = value.get<int>();
  }
  return profile;
}

std::vector<Profile> profiles_of(const BenchFlags& flags) {
  if (flags.random_request_config.empty()) {
    return {
        {{"", flags.width, flags.height, flags.num_frames, flags.fps, flags.num_inference_steps}}};
  }
  const json given = json::parse(flags.random_request_config, nullptr, /*allow_exceptions=*/false);
  require(given.is_array() && !given.empty(),
          fmt::format("--random-request-config: expected a JSON list of objects, got '{}'",
                      flags.random_request_config));
  std::vector<Profile> profiles;
  for (const json& one : given) profiles.push_back(profile_of(one));
  return profiles;
}

}  // namespace

double BenchRequest::work() const {
  const double blocks = width.value_or(1) * height.value_or(1) / 256.0;
  return std::max(blocks, 1.0) * num_frames.value_or(1) * num_inference_steps.value_or(1);
}

std::vector<BenchRequest> bench_requests(const BenchFlags& flags) {
  const auto prompts = prompts_of(flags);
  const auto profiles = profiles_of(flags);
  std::vector<double> weights;
  for (const Profile& profile : profiles) weights.push_back(profile.weight);
  std::mt19937 random(flags.random_request_seed);
  std::discrete_distribution<size_t> choose(weights.begin(), weights.end());
  std::vector<BenchRequest> requests;
  for (size_t i = 0; i < static_cast<size_t>(flags.num_prompts); ++i) {
    requests.push_back(profiles[choose(random)].request);
    requests.back().prompt = prompts[i % prompts.size()];
  }
  return requests;
}

}  // namespace reel::cli
