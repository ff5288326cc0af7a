#include "reel/config/model_defaults.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>

#include "bounds.h"
#include "published_files.h"
#include "reel/config/json_reader.h"

namespace reel::config {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

/// The repository that a path lies in the cache of: …/models--Wan-AI--X/snapshots/<revision>.
std::string repository_of(std::string_view path) {
  const size_t snapshots = path.rfind("/snapshots/");
  if (snapshots == path.npos) return {};
  std::string name(path.substr(0, snapshots));
  name.erase(0, name.rfind('/') + 1);
  constexpr std::string_view kPrefix = "models--";
  if (!name.starts_with(kPrefix)) return {};
  name.erase(0, kPrefix.size());
  const size_t dashes = name.find("--");
  return dashes == name.npos ? name : name.replace(dashes, 2, "/");
}

/// Reads "832x480".
Size parse_size(JsonReader& json, const std::string& text) {
  Size size;
  const char* const end = text.data() + text.size();
  const auto [x, no_width] = std::from_chars(text.data(), end, size.width);
  if (no_width != std::errc() || x == end || *x != 'x') json.fail("sizes", "is not like 832x480");
  const auto [rest, no_height] = std::from_chars(x + 1, end, size.height);
  if (no_height != std::errc() || rest != end) json.fail("sizes", "is not like 832x480");
  return size;
}

/// The keys that every model has.
ModelDefaults read_defaults(JsonReader& json) {
  ModelDefaults d;
  for (const auto& size : json.need<std::vector<std::string>>("sizes")) {
    d.sizes.push_back(parse_size(json, size));
  }
  if (d.sizes.empty()) json.fail("sizes", "is empty");
  d.width = d.sizes.at(0).width;  // the first is the default
  d.height = d.sizes.at(0).height;
  d.num_frames = json.need<int>("num_frames");
  d.fps = json.need<int>("fps");
  d.num_inference_steps = json.need<int>("num_inference_steps");
  d.guidance_scale = json.need<double>("guidance_scale");
  d.guidance_scale_2 = json.find<double>("guidance_scale_2");
  d.flow_shift = json.need<double>("flow_shift");
  d.boundary_ratio = json.find<double>("boundary_ratio");
  d.negative_prompt = json.need<std::string>("negative_prompt");
  d.max_sequence_length = json.need<int>("max_sequence_length");
  d.dmd_denoising_steps = json.get("dmd_denoising_steps", d.dmd_denoising_steps);
  d.denoising_step_list = json.get("denoising_step_list", d.denoising_step_list);
  json.finish();
  json.check(d.problems());
  return d;
}

ModelDefaults read_published(std::string_view name, std::string_view text) {
  const auto object = nlohmann::json::parse(text);
  JsonReader json(object, std::string(name));
  auto ids = json.need<std::vector<std::string>>("ids");
  json.ignore({"recognised_by"});
  ModelDefaults d = read_defaults(json);
  d.ids = std::move(ids);
  return d;
}

/// Whether `file` has each value of `expected`, or one of them where it is a list; null: none.
bool says(const nlohmann::json& file, const nlohmann::json& expected) {
  for (const auto& [key, value] : expected.items()) {
    const nlohmann::json found = file.value(key, nlohmann::json());
    const bool any =
        value.is_array() && std::find(value.begin(), value.end(), found) != value.end();
    if (!any && found != value) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> ModelDefaults::problems() const {
  std::vector<std::string> problems;
  const auto expect_side = [&](std::string_view key, int pixels) {
    expect_between(problems, key, pixels, 16, 1 << 14);
    if (pixels % 16 != 0) {
      problems.push_back(fmt::format("{}: expected a multiple of 16, got {}", key, pixels));
    }
  };
  expect_side("width", width);
  expect_side("height", height);
  for (const Size& size : sizes) {
    expect_side("sizes", size.width);
    expect_side("sizes", size.height);
  }
  expect_between(problems, "num_frames", num_frames, 1, 1 << 14);
  if (num_frames % 4 != 1) {
    problems.push_back(fmt::format("num_frames: expected 4k + 1, got {}", num_frames));
  }
  expect_between(problems, "fps", fps, 1, 240);
  expect_between(problems, "num_inference_steps", num_inference_steps, 1, 1000);
  expect_between(problems, "guidance_scale", guidance_scale, 0.0, 100.0);
  if (guidance_scale_2) {
    expect_between(problems, "guidance_scale_2", *guidance_scale_2, 0.0, 100.0);
  }
  expect_between(problems, "flow_shift", flow_shift, 1e-3, 1e3);
  if (boundary_ratio) expect_between(problems, "boundary_ratio", *boundary_ratio, 0.0, 1.0);
  expect_between(problems, "max_sequence_length", max_sequence_length, 1, 512);
  const auto expect_timesteps = [&](std::string_view key, const std::vector<int>& timesteps) {
    if (!std::is_sorted(timesteps.begin(), timesteps.end(), std::greater_equal()) ||
        std::any_of(timesteps.begin(), timesteps.end(),
                    [](int timestep) { return timestep < 1 || timestep > 1000; })) {
      problems.push_back(fmt::format("{}: expected falling timesteps from 1000 to 1, got {}", key,
                                     fmt::join(timesteps, ",")));
    }
  };
  expect_timesteps("dmd_denoising_steps", dmd_denoising_steps);
  expect_timesteps("denoising_step_list", denoising_step_list);
  if (!dmd_denoising_steps.empty() && !denoising_step_list.empty()) {
    problems.emplace_back("dmd_denoising_steps and denoising_step_list: expected one at most");
  }
  return problems;
}

std::vector<ModelDefaults> published_models() {
  std::vector<ModelDefaults> models;
  for (const auto& [name, text] : published_files()) {
    models.push_back(read_published(name, text));
  }
  return models;
}

std::optional<ModelDefaults> find_published(std::string_view id) {
  while (id.ends_with('/')) id.remove_suffix(1);
  const std::string cached = repository_of(id);
  for (const ModelDefaults& model : published_models()) {
    for (const std::string& known : model.ids) {
      if (same_word(id, known) || same_word(cached, known)) return model;
    }
  }
  return std::nullopt;
}

std::optional<ModelDefaults> find_alike(const ModelFolder& folder) {
  const auto index = read_json(folder.path / "model_index.json");
  const auto transformer = read_json(folder.component("transformer") / "config.json");
  if (!transformer.is_object()) return std::nullopt;
  for (const auto& [name, text] : published_files()) {
    const auto object = nlohmann::json::parse(text);
    const auto by = object.find("recognised_by");
    if (by != object.end() && says(index, by->at("model_index")) &&
        says(transformer, by->at("transformer"))) {
      return read_published(name, text);
    }
  }
  return std::nullopt;
}

std::optional<ModelDefaults> own_defaults(const std::filesystem::path& folder) {
  const auto path = folder / "reel.json";
  std::error_code none;  // a link to nothing is there, and cannot be read
  if (std::filesystem::symlink_status(path, none).type() == std::filesystem::file_type::not_found) {
    return std::nullopt;
  }
  const auto object = read_json(path);
  JsonReader json(object, path.string());
  return read_defaults(json);
}

ModelDefaults defaults_of(const ModelIndex& index, const WanVaeConfig& vae,
                          const SchedulerConfig& scheduler) {
  ModelDefaults d;  // Diffusers' arguments of WanPipeline, and 16 frames a second
  if (index.expand_timesteps || vae.scale_factor_spatial == 16) {
    d.width = 1280;
    d.height = 704;
    d.num_frames = 121;
    d.fps = 24;
  }
  d.flow_shift = flow_shift_of(scheduler);
  if (index.class_name == "WanDMDPipeline") {  // FastVideo's, and its settings
    d.dmd_denoising_steps = {1000, 757, 522};
    d.flow_shift = 8;
  }
  d.boundary_ratio = index.boundary_ratio;
  return d;
}

}  // namespace reel::config
