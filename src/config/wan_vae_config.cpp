#include "reel/config/wan_vae_config.h"

#include <algorithm>
#include <cmath>

#include "bounds.h"
#include "reel/config/json_reader.h"

namespace reel::config {

std::vector<std::string> WanVaeConfig::problems() const {
  std::vector<std::string> problems;
  const auto width = [&](std::string_view key, int64_t value) {
    expect_between(problems, key, value, int64_t{1}, int64_t{1} << 14);
  };
  const auto expect = [&](std::string_view key, int64_t expected, int64_t got) {
    if (got != expected) {
      problems.push_back(fmt::format("{}: expected {}, got {}", key, expected, got));
    }
  };
  width("base_dim", base_dim);
  if (decoder_base_dim) width("decoder_base_dim", *decoder_base_dim);
  width("z_dim", z_dim);
  expect_between(problems, "dim_mult (its length)", dim_mult.size(), size_t{1}, size_t{8});
  for (const int64_t factor : dim_mult) width("dim_mult", factor);
  expect_between(problems, "num_res_blocks", num_res_blocks, int64_t{1}, kMaxLayers);
  if (temperal_downsample.size() + 1 != dim_mult.size()) {
    problems.push_back(
        fmt::format("temperal_downsample: expected one less than the {} of dim_mult, "
                    "got {}",
                    dim_mult.size(), temperal_downsample.size()));
  }
  if (patch_size) expect_between(problems, "patch_size", *patch_size, int64_t{1}, int64_t{16});
  if (!problems.empty()) return problems;

  // A shortcut deals the channels of a level out to the pixels of the next, all alike.
  for (size_t up = 0; is_residual && up + 1 < dim_mult.size(); ++up) {
    const size_t to = dim_mult.size() - 1 - up, from = std::min(to + 1, dim_mult.size() - 1);
    const int64_t pixels = temperal_downsample[to - 1] ? 8 : 4;
    if (dim_mult[to] * pixels % dim_mult[from] != 0) {
      problems.push_back(
          fmt::format("dim_mult: expected {} x {} to be a multiple of {}, as "
                      "is_residual asks for",
                      dim_mult[to], pixels, dim_mult[from]));
    }
  }

  // The encoder's averages the other way round.
  for (size_t level = 0; is_residual && level < dim_mult.size(); ++level) {
    const int64_t from = level == 0 ? 1 : dim_mult[level - 1];
    const int64_t pixels = level + 1 == dim_mult.size() ? 1 : temperal_downsample[level] ? 8 : 4;
    if (from * pixels % dim_mult[level] != 0) {
      problems.push_back(
          fmt::format("dim_mult: expected {} x {} to be a multiple of {}, as is_residual asks for",
                      from, pixels, dim_mult[level]));
    }
  }

  const int64_t patch = patch_size.value_or(1);
  expect("in_channels", 3 * patch * patch, in_channels);
  expect("out_channels", 3 * patch * patch, out_channels);
  expect("scale_factor_spatial", patch << temperal_downsample.size(), scale_factor_spatial);
  expect("scale_factor_temporal",
         int64_t{1} << std::count(temperal_downsample.begin(), temperal_downsample.end(), true),
         scale_factor_temporal);
  expect("latents_mean (its length)", z_dim, static_cast<int64_t>(latents_mean.size()));
  expect("latents_std (its length)", z_dim, static_cast<int64_t>(latents_std.size()));
  for (const double std : latents_std) {
    if (!(std > 0)) problems.push_back(fmt::format("latents_std: expected over 0, got {}", std));
  }
  return problems;
}

WanVaeConfig read_wan_vae_config(const std::filesystem::path& file) {
  const nlohmann::json object = read_json(file);
  JsonReader json(object, file.string());
  json.expect<std::string>("_class_name", "AutoencoderKLWan");
  WanVaeConfig c;
  c.base_dim = json.get("base_dim", c.base_dim);
  c.decoder_base_dim = json.find<int64_t>("decoder_base_dim");
  c.z_dim = json.get("z_dim", c.z_dim);
  c.dim_mult = json.get("dim_mult", c.dim_mult);
  c.num_res_blocks = json.get("num_res_blocks", c.num_res_blocks);
  c.temperal_downsample = json.get("temperal_downsample", c.temperal_downsample);
  c.is_residual = json.get("is_residual", c.is_residual);
  c.in_channels = json.get("in_channels", c.in_channels);
  c.out_channels = json.get("out_channels", c.out_channels);
  c.patch_size = json.find<int64_t>("patch_size");
  c.scale_factor_temporal = json.get("scale_factor_temporal", c.scale_factor_temporal);
  c.scale_factor_spatial = json.get("scale_factor_spatial", c.scale_factor_spatial);
  c.latents_mean = json.get("latents_mean", c.latents_mean);
  c.latents_std = json.get("latents_std", c.latents_std);
  c.attn_scales = json.get("attn_scales", c.attn_scales);
  // Dropout does nothing outside training; clip_output is no argument of the constructor, which
  // always clips.
  json.ignore({"dropout", "clip_output"});
  json.finish();
  json.check(c.problems());
  return c;
}

}  // namespace reel::config
