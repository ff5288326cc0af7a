#include "reel/config/model_index.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "reel/base/model_file.h"
#include "reel/config/json_reader.h"

namespace reel::config {
namespace fs = std::filesystem;
namespace {

struct Part {
  const char* name;
  bool required;
  std::vector<std::string> classes;
  std::vector<std::vector<std::string>> files;  // one of each list must be there
};

constexpr const char* kTextToVideo = "WanPipeline";
constexpr const char* kImageToVideo = "WanImageToVideoPipeline";
constexpr const char* kVideoToVideo = "WanVideoToVideoPipeline";
constexpr const char* kVace = "WanVACEPipeline";
// Of few steps, as FastVideo's and TurboWan's folders name them.
constexpr const char *kDmd = "WanDMDPipeline", *kImageDmd = "WanImageToVideoDmdPipeline";
const std::vector<std::string> kServed{kTextToVideo, kImageToVideo, kVideoToVideo,
                                       kVace,        kDmd,          kImageDmd};

/// Families of Wan that other programs serve, by what the names of their classes and repositories
/// have in them.
struct Family {
  const char *word, *name;
};
constexpr Family kNotServed[] = {{"Animate", "Wan-Animate (a character moved by a video)"},
                                 {"S2V", "Wan S2V (speech to video)"},
                                 {"Speech", "Wan S2V (speech to video)"},
                                 {"FunControl", kFunControl},
                                 {"-Control", kFunControl},
                                 {"Causal", "a causal Wan (made frame by frame)"},
                                 {"CausVid", "a causal Wan (made frame by frame)"},
                                 {"SFWan", "a causal Wan (made frame by frame)"}};

bool is_served(const std::string& class_name) {
  return std::find(kServed.begin(), kServed.end(), class_name) != kServed.end();
}

const std::vector<std::string> kWeights{"diffusion_pytorch_model.safetensors",
                                        "diffusion_pytorch_model.safetensors.index.json"};

/// What a pipeline is made of.
std::vector<Part> parts_of(const ModelIndex& index) {
  const std::vector<std::vector<std::string>> network{{"config.json"}, kWeights};
  const std::vector<std::string> transformer{index.class_name == kVace ? "WanVACETransformer3DModel"
                                                                       : "WanTransformer3DModel"};
  std::vector<Part> parts{
      {"transformer", true, transformer, network},
      {"transformer_2", false, transformer, network},
      {"vae", true, {"AutoencoderKLWan"}, network},
      {"text_encoder",
       true,
       {"UMT5EncoderModel"},
       {{"config.json"}, {"model.safetensors", "model.safetensors.index.json"}}},
      {"tokenizer", true, {"T5TokenizerFast", "T5Tokenizer"}, {{"tokenizer.json", "spiece.model"}}},
      {"scheduler",
       true,
       {"UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"},
       {{"scheduler_config.json"}}},
  };
  if (index.is_image_to_video()) {
    parts.push_back({"image_encoder",
                     false,
                     {"CLIPVisionModel", "CLIPVisionModelWithProjection"},
                     {{"config.json"}, {"model.safetensors", "model.safetensors.index.json"}}});
    parts.push_back(
        {"image_processor",
         false,
         {"CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil", "CLIPProcessor"},
         {{"preprocessor_config.json", "processor_config.json"}}});
  }
  return parts;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool has_pickles(const fs::path& folder) {
  std::error_code error;
  return std::any_of(fs::directory_iterator(folder, error), {}, [](const auto& entry) {
    const fs::path extension = entry.path().extension();
    return extension == ".bin" || extension == ".pt" || extension == ".pth";
  });
}

/// `fallback` where there is no such key, or another type.
template <class T>
T value_or(const nlohmann::json& object, const char* key, const T& fallback) try {
  return object.is_object() && object.contains(key) && is_exactly<T>(object[key])
             ? object[key].get<T>()
             : fallback;
} catch (const nlohmann::json::exception&) {
  return fallback;
}

/// Why a folder without model_index.json is no model.
std::string what_instead(const fs::path& path) {
  if (!is_folder(path)) {
    const auto family = other_family(path.filename().string());
    return family.empty() ? "is no folder" : "is no folder; " + family;
  }
  bool own_layout = has_pickles(path);
  if (is_there(path / "config.json")) {
    // Wan-Video's own layout: Animate's class is WanAnimateModel, S2V's WanModel_S2V.
    const nlohmann::json config = read_json(path / "config.json");
    const auto class_name = value_or(config, "_class_name", std::string());
    if (const auto family = other_family(class_name); !family.empty()) return family;
    if (class_name != "WanModel") {
      return "has no model_index.json: it looks like one component of a model; give the folder "
             "above it";
    }
    if (const int in = value_or(config, "in_dim", 16); in / 3 >= value_or(config, "out_dim", 16)) {
      return fmt::format("in_dim: {} is of {}, which is not served", in, kFunControl);
    }
    own_layout = true;
  }
  if (own_layout) {
    return "has no model_index.json: it looks like a checkpoint in Wan-Video's own layout; give "
           "the repository whose name ends in -Diffusers";
  }
  return "has no model_index.json: a model in the Diffusers layout is expected";
}

bool are_weights(const std::vector<std::string>& choices) {
  return choices.front().ends_with(".safetensors");
}

bool has_weights(const Part& part) {
  return std::any_of(part.files.begin(), part.files.end(), are_weights);
}

void look_for_files(const Part& part, const ModelFolder& model, std::vector<std::string>& missing) {
  const fs::path& folder = model.component(part.name);
  if (!is_folder(folder)) {
    const bool could_be_file = has_weights(part) && folder != model.path / part.name;
    missing.push_back(folder.string() +
                      (could_be_file ? " is no folder and no .safetensors file" : " is no folder"));
    return;
  }
  const auto given = model.weights.find(part.name);
  const bool weights_elsewhere = given != model.weights.end();
  if (weights_elsewhere && !has_weights(part)) {
    missing.push_back(fmt::format("{}: a {} has no weights: expected a folder",
                                  given->second.string(), part.name));
  } else if (weights_elsewhere && !is_there(given->second)) {
    missing.push_back(given->second.string() + " is no file");
  }
  for (const auto& choices : part.files) {
    const bool weights = are_weights(choices);
    if ((weights && weights_elsewhere) ||
        std::any_of(choices.begin(), choices.end(),
                    [&](const auto& file) { return is_there(folder / file); })) {
      continue;
    }
    missing.push_back(fmt::format(
        "{} has no {}{}", folder.string(), fmt::join(choices, " and no "),
        weights && has_pickles(folder)
            ? " (.bin, .pt and .pth files are pickles, which can run code: they are not read)"
            : ""));
  }
}

}  // namespace

std::string other_family(const std::string& name) {
  for (const auto& [word, family] : kNotServed) {
    if (name.find("Wan") != name.npos && name.find(word) != name.npos) {
      return fmt::format("{} is {}, which is not served", name.substr(0, 80), family);
    }
  }
  return {};
}

bool ModelIndex::is_image_to_video() const {
  return class_name == kImageToVideo || class_name == kImageDmd;
}

std::vector<std::string> ModelIndex::problems() const {
  if (const auto family = other_family(class_name); !family.empty()) {
    return {fmt::format("{}; served: {}", family, fmt::join(kServed, ", "))};
  }
  if (!is_served(class_name)) {
    return {fmt::format("{} is {}; served: {}", class_name.substr(0, 80),
                        class_name.starts_with("Wan") ? "not served yet" : "no Wan model",
                        fmt::join(kServed, ", "))};
  }
  std::vector<std::string> problems;
  auto others = components;
  for (const Part& part : parts_of(*this)) {
    const auto found = others.find(part.name);
    if (found == others.end()) {
      if (part.required) problems.push_back(fmt::format("{} is missing", part.name));
      continue;
    }
    const std::string& class_name = found->second.class_name;
    if (std::find(part.classes.begin(), part.classes.end(), class_name) == part.classes.end()) {
      const auto family = other_family(class_name);
      problems.push_back(fmt::format("{}: expected {}, got {}", part.name,
                                     fmt::join(part.classes, " or "),
                                     family.empty() ? class_name.substr(0, 80) : family));
    }
    others.erase(found);
  }
  for (const auto& [name, component] : others) {
    problems.push_back(fmt::format("{} is no component of a {}", name.substr(0, 80), class_name));
  }
  if (has("transformer_2") != boundary_ratio.has_value()) {
    problems.emplace_back("transformer_2 and boundary_ratio: expected both or neither");
  }
  if (boundary_ratio && !(*boundary_ratio >= 0 && *boundary_ratio <= 1)) {
    problems.push_back(fmt::format("boundary_ratio: expected 0 to 1, got {}", *boundary_ratio));
  }
  if (expand_timesteps && has("transformer_2")) {
    problems.emplace_back("expand_timesteps is not served with two transformers");
  }
  return problems;
}

ModelIndex read_model_index(const fs::path& file) {
  const nlohmann::json object = read_json(file);
  JsonReader json(object, file.string());
  ModelIndex index;
  index.class_name = json.need<std::string>("_class_name");
  // Another pipeline has settings of its own: say that it is another before they are questioned.
  if (!is_served(index.class_name)) json.check(index.problems());
  index.boundary_ratio = json.find<double>("boundary_ratio");
  index.expand_timesteps = json.get("expand_timesteps", false);
  for (const auto& [key, value] : object.items()) {
    if (!value.is_array()) continue;
    using Entry = std::vector<nlohmann::json>;
    const auto entry = json.need<Entry>(key);
    const bool null = entry == Entry{nullptr, nullptr};
    if (!null && !(entry.size() == 2 && entry[0].is_string() && entry[1].is_string())) {
      json.fail(key, "must be a library and a class, or two nulls");
    }
    if (!null) index.components[key] = {entry[0], entry[1]};
  }
  json.finish();
  json.check(index.problems());
  return index;
}

const fs::path& ModelFolder::component(const std::string& name) const {
  const auto found = components.find(name);
  if (found == components.end()) {
    throw Error(ErrorCode::BadModel, fmt::format("{}: the model has no {}", path.string(), name));
  }
  return found->second;
}

ModelFolder open_model_folder(const fs::path& path,
                              const std::map<std::string, fs::path>& overrides) {
  if (!is_there(path / "model_index.json")) {
    throw Error(ErrorCode::BadModel, fmt::format("{}: {}", path.string(), what_instead(path)));
  }
  ModelFolder folder{path, read_model_index(path / "model_index.json"), {}};
  for (const auto& [name, component] : folder.index.components)
    folder.components[name] = path / name;
  for (const auto& [name, other] : overrides) {
    if (!folder.index.has(name)) {
      throw Error(ErrorCode::BadModel,
                  fmt::format("{}: the model has no {} that {} could stand in for", path.string(),
                              name, other.string()));
    }
    const bool weights = other.extension() == ".safetensors" && !is_folder(other);
    (weights ? folder.weights : folder.components)[name] = other;
  }
  std::vector<std::string> missing;
  for (const Part& part : parts_of(folder.index)) {
    if (folder.index.has(part.name)) look_for_files(part, folder, missing);
  }
  if (!missing.empty()) {
    throw Error(ErrorCode::BadModel, fmt::format("{}", fmt::join(missing, "; ")));
  }
  return folder;
}

}  // namespace reel::config
