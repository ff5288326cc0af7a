#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/models/wan_vae.h"

namespace reel::models {
namespace {

using test::max_abs;

const double kSame = test::bound(2e-5);

bool always(int, int) { return true; }

/// An encoder with the configuration and weights of the model folder that its golden names.
struct Encoder {
  explicit Encoder(const std::string& name, at::ScalarType dtype = at::kFloat)
      : golden(name + "-encode"),
        folder(test::golden_folder() / golden.metadata("model")),
        config(config::read_wan_vae_config(folder / "config.json")),
        params(test::device(), dtype),
        encoder(weights::ParamScope(params), config),
        checkpoint(folder / "diffusion_pytorch_model.safetensors") {
    for (weights::Param& param : params.params()) {
      const at::Tensor tensor = checkpoint.tensor(param.name);
      EXPECT_EQ(tensor.sizes().vec(), param.shape) << param.name;
      param.tensor = tensor.to(params.device(), params.dtype_of(param), false, /*copy=*/true);
    }
  }

  at::Tensor video(int64_t frames = 13) const { return golden["in.video"].narrow(2, 0, frames); }
  at::Tensor mode() const { return golden["out.mode"]; }
  Tiling tiling() const {
    const auto tile = nlohmann::json::parse(golden.metadata("tile"));
    return {tile["tile_sample_min_height"], tile["tile_sample_min_width"],
            tile["tile_sample_stride_height"], tile["tile_sample_stride_width"]};
  }

  test::Golden golden;
  std::filesystem::path folder;
  config::WanVaeConfig config;
  weights::ParamSet params;
  WanVaeEncoder encoder;
  weights::SafetensorsFile checkpoint;
};

class WanVaeEncoding : public testing::TestWithParam<const char*> {
 protected:
  Encoder vae{GetParam()};
};

TEST_P(WanVaeEncoding, IsDiffusersForVideosOfAnyLengthAndBatch) {
  for (const auto& [frames, latents] : {std::pair{1, 1}, {5, 2}, {7, 2}, {13, 4}}) {
    const at::Tensor x = vae.video(frames), right = vae.mode().narrow(2, 0, latents);
    EXPECT_LT(max_abs(*vae.encoder.encode(x, always), right), kSame) << frames;
    const at::Tensor two = *vae.encoder.encode(at::cat({x * 0.5, x}), always);
    EXPECT_LT(max_abs(two.narrow(0, 1, 1), right), kSame) << frames;
    EXPECT_GT(max_abs(two.narrow(0, 0, 1), right), 1e-2) << frames;
  }
}

TEST_P(WanVaeEncoding, GoesOnFromItsCache) {
  EncoderCache cache;
  EXPECT_LT(max_abs(vae.encoder.encode_part(vae.video(1), cache), vae.mode().narrow(2, 0, 1)),
            kSame);
  const at::Tensor next = vae.video(5).narrow(2, 1, 4), right = vae.mode().narrow(2, 1, 1);
  EncoderCache copy = cache;
  EXPECT_LT(max_abs(vae.encoder.encode_part(next, copy), right), kSame);
  for (at::Tensor& history : cache.histories) history.zero_();
  EXPECT_GT(max_abs(vae.encoder.encode_part(next, cache), right), 1e-2);
}

TEST_P(WanVaeEncoding, NeedsEachParameter) {
  const at::Tensor x = vae.video(9), right = vae.mode().narrow(2, 0, 3);
  for (weights::Param& param : vae.params.params()) {
    const at::Tensor kept = param.tensor.clone();
    param.tensor.fill_(param.name.ends_with("gamma") ? 1 : 0);
    EXPECT_GT(test::relative_l2(*vae.encoder.encode(x, always), right), 1e-3) << param.name;
    param.tensor.copy_(kept);
  }
}

TEST_P(WanVaeEncoding, DeclaresWhatTheDecoderDoesNot) {
  for (const auto& [name, info] : vae.checkpoint.tensors()) {
    EXPECT_EQ(vae.params.find(name) != nullptr, wan_vae_encoder_only(name)) << name;
  }
}

TEST_P(WanVaeEncoding, WorksInTiles) {
  for (const auto& [frames, latents] : {std::pair{1, 1}, {5, 2}, {7, 2}, {13, 4}}) {
    const at::Tensor x = vae.golden["in.tiled.video"].narrow(2, 0, frames);
    const at::Tensor right = vae.golden["out.tiled.mode"].narrow(2, 0, latents);
    EXPECT_LT(max_abs(*vae.encoder.encode_tiled(x, vae.tiling(), always), right), kSame) << frames;
    EXPECT_GT(max_abs(*vae.encoder.encode(x, always), right), 1e-2) << frames;
  }
}

TEST_P(WanVaeEncoding, InBf16IsNoFurtherFromFp32ThanDiffusersOwn) {
  const Encoder half(GetParam(), at::kBFloat16);
  const double theirs = test::relative_l2(vae.golden["out.bf16.mode"], vae.mode());
  const double ours = test::relative_l2(*half.encoder.encode(half.video(), always), vae.mode());
  EXPECT_LE(ours, 1.5 * theirs) << "Diffusers' own: " << theirs;
  EXPECT_GT(ours, 1e-4) << "not bf16";
}

TEST_P(WanVaeEncoding, RemembersNoMoreOfALongerVideo) {
  EncoderCache cache;
  const auto remembered = [&] {
    size_t bytes = 0;
    for (const at::Tensor& history : cache.histories) bytes += history.storage().nbytes();
    return bytes;
  };
  vae.encoder.encode_part(vae.video(1), cache);
  const at::Tensor next = vae.video(5).narrow(2, 1, 4);
  vae.encoder.encode_part(next, cache);
  const size_t early = remembered();
  for (int i = 0; i < 3; ++i) vae.encoder.encode_part(next, cache);
  EXPECT_GT(early, 0u);
  EXPECT_EQ(remembered(), early);
}

TEST_P(WanVaeEncoding, StopsWhenToldTo) {
  int asked = 0;
  EXPECT_EQ(vae.encoder.encode(vae.video(), [&](int, int) { return ++asked < 3; }), std::nullopt);
  EXPECT_EQ(asked, 3);
}

TEST_P(WanVaeEncoding, NormalisesAsWritten) {
  const at::Tensor x = at::randn(vae.mode().sizes());
  const auto channel = [](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).view({1, -1, 1, 1, 1});
  };
  const at::Tensor mean = channel(vae.config.latents_mean), std = channel(vae.config.latents_std);
  EXPECT_LE(max_abs(vae.encoder.normalise(x), (x - mean) * (1.0 / std)), test::bound(0, 1e-5));
  EXPECT_GT(max_abs(vae.encoder.normalise(x), x / std), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, WanVaeEncoding, testing::Values("vae21", "vae22"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace reel::models
