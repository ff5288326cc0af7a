#include "reel/models/wan_vae.h"

#include <nlohmann/json.hpp>

#include "golden.h"
#include "reel/base/error.h"

namespace reel::models {
namespace {

using test::max_abs;

const double kSame = test::bound(2e-5);

/// A decoder with the configuration and weights of the model folder that its golden names.
struct Vae {
  explicit Vae(const std::string& name, at::ScalarType dtype = at::kFloat)
      : golden(name + "-decode"),
        folder(test::golden_folder() / golden.metadata("model")),
        config(config::read_wan_vae_config(folder / "config.json")),
        params(test::device(), dtype),
        decoder(weights::ParamScope(params), config),
        checkpoint(folder / "diffusion_pytorch_model.safetensors") {
    for (weights::Param& param : params.params()) {
      const at::Tensor tensor = checkpoint.tensor(param.name);
      EXPECT_EQ(tensor.sizes().vec(), param.shape) << param.name;
      param.tensor = tensor.to(params.device(), dtype, false, /*copy=*/true);
    }
  }

  at::Tensor z() const { return golden["in.z"]; }
  at::Tensor frames() const { return golden["out.frames"]; }
  Tiling tiling() const {
    const auto tile = nlohmann::json::parse(golden.metadata("tile"));
    return {tile["tile_sample_min_height"], tile["tile_sample_min_width"],
            tile["tile_sample_stride_height"], tile["tile_sample_stride_width"]};
  }

  test::Golden golden;
  std::filesystem::path folder;
  config::WanVaeConfig config;
  weights::ParamSet params;
  WanVaeDecoder decoder;
  weights::SafetensorsFile checkpoint;
};

struct Kind {
  const char* name;
  double bf16_error;  // of Diffusers' own decoder in bf16 on the same latents, relative L2
};

class WanVae : public testing::TestWithParam<Kind> {
 protected:
  Vae vae{GetParam().name};
};

TEST_P(WanVae, DecodesFrameByFrame) {
  DecoderCache cache;
  int64_t at = 0;
  for (int64_t t = 0; t < vae.z().size(2); ++t) {
    const at::Tensor part = vae.decoder.decode_frame(vae.z().narrow(2, t, 1), cache);
    ASSERT_EQ(part.size(2), t == 0 ? 1 : 4);
    EXPECT_LT(max_abs(part, vae.frames().narrow(2, at, part.size(2))), kSame) << t;
    at += part.size(2);
  }
  EXPECT_EQ(at, vae.frames().size(2));
  EXPECT_EQ(cache.latent_frames, vae.z().size(2));
}

TEST_P(WanVae, DecodesVideosOfAnyLengthAndBatch) {
  for (const int64_t frames : {1, 2, 3}) {
    const at::Tensor z = vae.z().narrow(2, 0, frames);
    const at::Tensor right = vae.frames().narrow(2, 0, 4 * (frames - 1) + 1);
    EXPECT_LT(max_abs(vae.decoder.decode(z), right), kSame);
    const at::Tensor two = vae.decoder.decode(at::cat({z * 0.5, z}));
    EXPECT_LT(max_abs(two.narrow(0, 1, 1), right), kSame);
    EXPECT_GT(max_abs(two.narrow(0, 0, 1), right), 1e-2);
  }
}

TEST_P(WanVae, NeedsItsHistories) {
  DecoderCache cache;
  vae.decoder.decode_frame(vae.z().narrow(2, 0, 1), cache);
  DecoderCache forgetful{{}, 1};
  EXPECT_GT(max_abs(vae.decoder.decode_frame(vae.z().narrow(2, 1, 1), forgetful),
                    vae.frames().narrow(2, 1, 4)),
            1e-2);
}

TEST_P(WanVae, NeedsEachParameter) {
  const at::Tensor z = vae.z().narrow(2, 0, 2), right = vae.frames().narrow(2, 0, 5);
  for (weights::Param& param : vae.params.params()) {
    const at::Tensor kept = param.tensor.clone();
    param.tensor.fill_(param.name.ends_with("gamma") ? 1 : 0);
    EXPECT_GT(test::relative_l2(vae.decoder.decode(z), right), 1e-3) << param.name;
    param.tensor.copy_(kept);
  }
}

TEST_P(WanVae, DeclaresTheDecoderAndKnowsTheRest) {
  for (const auto& [name, info] : vae.checkpoint.tensors()) {
    EXPECT_NE(vae.params.find(name) != nullptr, wan_vae_encoder_only(name)) << name;
  }
  EXPECT_FALSE(wan_vae_encoder_only("decoder.conv_in.weight"));
  EXPECT_FALSE(wan_vae_encoder_only("post_quant_conv.bias"));
}

bool always(int, int) { return true; }

TEST_P(WanVae, DecodesInTiles) {
  const at::Tensor z = vae.golden["in.tiled.z"], right = vae.golden["out.tiled.frames"];
  EXPECT_LT(max_abs(*vae.decoder.decode_tiled(z, vae.tiling(), always), right), kSame);
  EXPECT_GT(max_abs(vae.decoder.decode(z), right), 1e-2);

  Tiling other = vae.tiling();
  other.stride_width = other.width;
  EXPECT_GT(max_abs(*vae.decoder.decode_tiled(z, other, always), right), 1e-3);
}

TEST_P(WanVae, StopsBetweenTheFramesOfATile) {
  std::vector<int> asked;
  int total = 0;
  const auto twice = [&](int done, int of) {
    asked.push_back(done);
    total = of;
    return done < 2;
  };
  EXPECT_EQ(vae.decoder.decode_tiled(vae.golden["in.tiled.z"], vae.tiling(), twice), std::nullopt);
  EXPECT_EQ(asked, (std::vector<int>{0, 1, 2}));
  EXPECT_GT(total, vae.golden["in.tiled.z"].size(2));
}

TEST_P(WanVae, DecodesWholeWhatFitsATile) {
  const at::Tensor z = vae.z().narrow(2, 0, 2);
  EXPECT_LE(max_abs(*vae.decoder.decode_tiled(z, {}, always), vae.decoder.decode(z)),
            test::bound(0));
}

TEST_P(WanVae, RefusesTilesThatAreNoLatents) {
  const at::Tensor z = vae.golden["in.tiled.z"];
  for (const Tiling& tiling : {Tiling{256, 256, 100, 192}, Tiling{256, 256, 192, 0},
                               Tiling{256, 256, 192, 320}, Tiling{4, 256, 4, 192}}) {
    EXPECT_THROW(vae.decoder.decode_tiled(z, tiling, always), Error);
  }
}

TEST_P(WanVae, InBf16IsNoFurtherFromFp32ThanDiffusers) {
  const Vae half(GetParam().name, at::kBFloat16);
  const at::Tensor frames = half.decoder.decode(half.z());
  EXPECT_EQ(frames.scalar_type(), at::kFloat);
  const double error = test::relative_l2(frames, vae.frames());
  EXPECT_LT(error, GetParam().bf16_error * test::bound(1, 1.5));
  EXPECT_GT(error, 1e-4) << "not bf16";
}

TEST_P(WanVae, DenormalisesAsWritten) {
  const at::Tensor x = at::randn(vae.z().sizes());
  const auto channel = [](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).view({1, -1, 1, 1, 1});
  };
  const at::Tensor mean = channel(vae.config.latents_mean), std = channel(vae.config.latents_std);
  const at::Tensor right = x / (1.0 / std) + mean;
  EXPECT_LE(max_abs(vae.decoder.denormalise(x), right), test::bound(0, 1e-5));
  EXPECT_GT(max_abs(vae.decoder.denormalise(x), x * std), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, WanVae,
                         testing::Values(Kind{"vae21", 2.98e-2}, Kind{"vae22", 1.97e-2}),
                         [](const auto& info) { return info.param.name; });

TEST(Frames, AreRoundedAndClamped) {
  const at::Tensor x = at::tensor({-1.5f, -1.0f, 2 * 0.5f - 1, 2 * 0.32f - 1, 1.0f, 7.0f})
                           .view({1, 1, 1, 6})
                           .expand({3, 2, 1, 6});
  const at::Tensor bytes = rgb_frames(test::on_device(x)).cpu();
  EXPECT_EQ(bytes.sizes(), at::IntArrayRef({2, 1, 6, 3}));
  const at::Tensor right = at::tensor({0, 0, 128, 82, 255, 255}, at::kByte).view({1, 1, 6, 1});
  EXPECT_TRUE(at::equal(bytes, right.expand({2, 1, 6, 3})));
  EXPECT_LT(max_abs(unit_frames(x).select(2, 3), at::full({2, 1, 3}, 0.32)), 1e-6);
}

}  // namespace
}  // namespace reel::models
