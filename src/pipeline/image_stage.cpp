#include "image_stage.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "reel/config/json_reader.h"

namespace reel::pipeline {
namespace {

/// An edge or two: a number, or an object with `keys`.
std::vector<int> sides(config::JsonReader& json, const nlohmann::json& object,
                       std::string_view name, std::vector<std::string> keys) {
  if (!object.contains(name)) return {};
  if (!object.at(name).is_object()) return {json.need<int>(name)};
  const auto fields = json.need<nlohmann::json>(name);
  std::vector<int> found;
  for (const std::string& key : keys) {
    const auto field = fields.find(key);
    if (field == fields.end() || !field->is_number_integer()) {
      json.fail(name, fmt::format("expected an object with {}", fmt::join(keys, " and ")));
    }
    found.push_back(*field);
  }
  return found;
}

Filter filter_of(config::JsonReader& json) {
  switch (const int pillow = json.get("resample", 3)) {  // Pillow's numbers
    case 1:
      return Filter::Lanczos;
    case 2:
      return Filter::Bilinear;
    case 3:
      return Filter::Bicubic;
    default:
      json.fail("resample", fmt::format("expected 1, 2 or 3, got {}", pillow));
  }
}

ClipPreprocessing read_preprocessing(const std::filesystem::path& folder, int64_t image_size) {
  // transformers 5 writes a CLIPProcessor's as a part of one file.
  const bool alone = std::filesystem::exists(folder / "preprocessor_config.json");
  const auto file = folder / (alone ? "preprocessor_config.json" : "processor_config.json");
  nlohmann::json object = config::read_json(file);
  if (!alone) {
    object = config::JsonReader(object, file.string()).need<nlohmann::json>("image_processor");
  }
  config::JsonReader json(object, file.string());
  for (const char* step :
       {"do_center_crop", "do_convert_rgb", "do_normalize", "do_rescale", "do_resize"}) {
    json.expect(step, true);
  }
  ClipPreprocessing how;
  if (const auto edge = sides(json, object, "size", {"shortest_edge"}); !edge.empty()) {
    how.shortest_edge = edge[0];
  }
  if (const auto crop = sides(json, object, "crop_size", {"width", "height"}); !crop.empty()) {
    how.crop = {crop.front(), crop.back()};
  }
  how.filter = filter_of(json);
  how.rescale = json.get("rescale_factor", how.rescale);
  how.mean = json.get("image_mean", how.mean);
  how.std = json.get("image_std", how.std);
  json.ignore({"image_processor_type", "feature_extractor_type", "processor_class", "data_format",
               "default_to_square", "device", "disable_grouping", "input_data_format",
               "return_tensors", "size_divisor", "pad_size", "do_pad"});
  json.finish();
  const int side = static_cast<int>(image_size);
  if (how.crop != gen::Size{side, side} || how.shortest_edge < side) {
    json.fail("crop_size", fmt::format("expected the {0}x{0} of the image encoder, no more than "
                                       "the {1} of the shortest edge, got {2}",
                                       side, how.shortest_edge, gen::text_of(how.crop)));
  }
  return how;
}

}  // namespace

ImageStage::ImageStage(const std::filesystem::path& encoder_folder,
                       const std::filesystem::path& processor_folder, at::Device device,
                       at::ScalarType dtype)
    : params_(device, dtype),
      encoder_(weights::ParamScope(params_),
               config::read_clip_vision_config(encoder_folder / "config.json")),
      preprocessing_(read_preprocessing(processor_folder, encoder_.config.image_size)) {}

at::Tensor ImageStage::encode(const std::vector<const gen::Image*>& images) const {
  std::vector<at::Tensor> pixels;
  for (const gen::Image* image : images) {
    pixels.push_back(tensor_of(clip_input(*image, preprocessing_)).select(1, 0));
  }
  return encoder_(at::stack(pixels));
}

at::Tensor tensor_of(const Planes& planes) {
  const at::Tensor tensor =
      at::empty({planes.channels, planes.frames, planes.height, planes.width}, at::kFloat);
  std::copy(planes.values.begin(), planes.values.end(), tensor.mutable_data_ptr<float>());
  return tensor;
}

}  // namespace reel::pipeline
