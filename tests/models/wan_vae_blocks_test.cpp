#include "golden.h"
#include "wan_vae/blocks.h"

namespace reel::models::wan_vae {
namespace {

constexpr int kChunks = 5;

/// A layer with the weights `w.<prefix>` of a golden.
template <class Layer>
struct Filled {
  template <class... Sizes>
  Filled(const test::Golden& golden, const std::string& prefix, Sizes... sizes)
      : layer(weights::ParamScope(params), sizes...) {
    golden.fill(params, "w." + prefix);
  }

  weights::ParamSet params{test::device(), at::kFloat};
  Layer layer;
};

class Residual : public testing::TestWithParam<std::pair<const char*, int64_t>> {
 protected:
  std::string kind = GetParam().first;
  test::Golden golden{"vae-residual-block"};
  Filled<ResidualBlock> block{golden, kind + ".", int64_t{4}, GetParam().second};

  double worst(bool keep_histories) const {
    std::vector<at::Tensor> histories;
    double error = 0;
    for (int i = 0; i < kChunks; ++i) {
      if (!keep_histories) histories.clear();
      HistoryCursor cursor(histories);
      const std::string chunk = kind + ".chunk." + std::to_string(i);
      error = std::max(
          error, test::max_abs(block.layer(golden["in." + chunk], cursor), golden["out." + chunk]));
    }
    for (size_t slot = 0; keep_histories && slot < 2; ++slot) {
      const at::Tensor right = golden["out." + kind + ".cache." + std::to_string(slot)];
      error = std::max(error, test::max_abs(histories.at(slot), right));
    }
    return error;
  }
};

TEST_P(Residual, IsDiffusersChunkByChunk) { EXPECT_LT(worst(true), test::bound(3e-6)); }

TEST_P(Residual, IsDiffusersWhole) {
  std::vector<at::Tensor> histories;
  HistoryCursor cursor(histories);
  const at::Tensor y = block.layer(golden["in." + kind + ".no_cache.x"], cursor);
  EXPECT_LT(test::max_abs(y, golden["out." + kind + ".no_cache.x"]), test::bound(3e-6));
}

TEST_P(Residual, NeedsItsHistoriesAndParameters) {
  EXPECT_GT(worst(false), 1e-2);
  for (weights::Param& param : block.params.params()) {
    const at::Tensor kept = param.tensor.clone();
    param.tensor.zero_();
    EXPECT_GT(worst(true), 1e-2) << param.name;
    param.tensor.copy_(kept);
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, Residual,
                         testing::Values(std::pair("same", int64_t{4}),
                                         std::pair("wider", int64_t{6})));

TEST(Attention, IsDiffusersFrameByFrame) {
  const test::Golden golden("vae-attention");
  Filled<AttentionBlock> block(golden, "", int64_t{6});
  const at::Tensor x = golden["in.block.x"], right = golden["out.block.x"];
  EXPECT_LT(test::max_abs(block.layer(x), right), test::bound(3e-6));
  const at::Tensor last =
      block.layer(x.contiguous(at::MemoryFormat::ChannelsLast3d).narrow(2, 2, 1));
  EXPECT_LT(test::max_abs(last, right.narrow(2, 2, 1)), test::bound(3e-6));
  for (weights::Param& param : block.params.params()) {
    const at::Tensor kept = param.tensor.clone();
    param.tensor.zero_();
    EXPECT_GT(test::max_abs(block.layer(x), right), 1e-2) << param.name;
    param.tensor.copy_(kept);
  }
}

struct UpsampleCase {
  const char* kind;
  int chunks;
  int64_t out;
  bool in_time;
};

class Upsampling : public testing::TestWithParam<UpsampleCase> {
 protected:
  std::string kind = GetParam().kind;
  test::Golden golden{"vae-resample"};
  Filled<Upsample> layer{golden, kind + ".", int64_t{6}, GetParam().out, GetParam().in_time};

  at::Tensor in(int i) const { return golden["in." + kind + ".chunk." + std::to_string(i)]; }
  at::Tensor out(int i) const { return golden["out." + kind + ".chunk." + std::to_string(i)]; }
};

TEST_P(Upsampling, IsDiffusersChunkByChunk) {
  std::vector<at::Tensor> histories;
  for (int i = 0; i < GetParam().chunks; ++i) {
    HistoryCursor cursor(histories);
    EXPECT_LT(test::max_abs(layer.layer(in(i), i == 0, cursor), out(i)), test::bound(3e-6)) << i;
  }
  if (GetParam().in_time) {
    EXPECT_TRUE(at::equal(histories.at(0), golden["out." + kind + ".cache.0"]));
  }
}

TEST_P(Upsampling, DoesNotRememberTheFirstChunk) {
  if (!GetParam().in_time) GTEST_SKIP() << "nothing to remember";
  std::vector<at::Tensor> histories = {in(0)};
  HistoryCursor cursor(histories);
  EXPECT_GT(test::max_abs(layer.layer(in(1), false, cursor), out(1)), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Modes, Upsampling,
                         testing::Values(UpsampleCase{"upsample2d", 2, 3, false},
                                         UpsampleCase{"upsample3d", kChunks, 3, true},
                                         UpsampleCase{"upsample3d_wide", kChunks, 6, true}),
                         [](const auto& info) { return info.param.kind; });

struct DownsampleCase {
  const char* kind;
  int chunks;
  bool in_time;
};

class Downsampling : public testing::TestWithParam<DownsampleCase> {
 protected:
  test::Golden golden{"vae-resample"};
  Filled<Downsample> layer{golden, std::string(GetParam().kind) + ".", int64_t{6},
                           GetParam().in_time};

  double worst(bool keep_histories) const {
    std::vector<at::Tensor> histories;
    double error = 0;
    for (int i = 0; i < GetParam().chunks; ++i) {
      if (!keep_histories) histories.clear();
      HistoryCursor cursor(histories);
      const std::string chunk = std::string(GetParam().kind) + ".chunk." + std::to_string(i);
      error = std::max(
          error, test::max_abs(layer.layer(golden["in." + chunk], cursor), golden["out." + chunk]));
    }
    return error;
  }
};

TEST_P(Downsampling, IsDiffusersChunkByChunk) { EXPECT_LT(worst(true), test::bound(3e-6)); }

TEST_P(Downsampling, NeedsItsHistoriesAndParameters) {
  if (GetParam().in_time) {
    EXPECT_GT(worst(false), 1e-2);
  }
  for (weights::Param& param : layer.params.params()) {
    const at::Tensor kept = param.tensor.clone();
    param.tensor.zero_();
    EXPECT_GT(worst(true), 1e-2) << param.name;
    param.tensor.copy_(kept);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, Downsampling,
                         testing::Values(DownsampleCase{"downsample2d", 2, false},
                                         DownsampleCase{"downsample3d", 3, true}),
                         [](const auto& info) { return info.param.kind; });

TEST(Averaged, IsDiffusers) {
  const test::Golden golden("vae-shortcuts");
  struct Case {
    std::string name;
    int64_t frames, space;
  };
  for (const auto& [name, frames, space] :
       {Case{"space", 1, 2}, Case{"both", 2, 2}, Case{"none", 1, 1}}) {
    const at::Tensor x = golden["in.down." + name + ".x"];
    const at::Tensor right = golden["out.down." + name + ".x"];
    at::Tensor main = at::ones_like(right);
    add_averaged(main, x, frames, space);
    EXPECT_LT(test::max_abs(main, right + 1), 1e-6) << name;

    const at::Tensor right_one = golden["out.down." + name + ".one_frame"];
    at::Tensor one = at::zeros_like(right_one);
    add_averaged(one, x.narrow(2, 0, 1), frames, space);
    EXPECT_LT(test::max_abs(one, right_one), 1e-6) << name;
  }
}

TEST(Duplicated, IsDiffusers) {
  const test::Golden golden("vae-shortcuts");
  for (const auto& [name, frames] :
       {std::pair<std::string, int64_t>{"space", 1}, {"both", 2}, {"widen", 2}}) {
    const at::Tensor x = golden["in.up." + name + ".x"];
    const at::Tensor right = golden["out.up." + name + ".x"];
    at::Tensor main = at::ones_like(right);
    add_duplicated(main, x, frames, false);
    EXPECT_TRUE(at::equal(main, right + 1)) << name;

    const at::Tensor right_first = golden["out.up." + name + ".first"].narrow(2, 0, 1);
    at::Tensor main_first = at::zeros_like(right_first);
    add_duplicated(main_first, x.narrow(2, 0, 1), frames, true);
    EXPECT_TRUE(at::equal(main_first, right_first)) << name;
  }
}

}  // namespace
}  // namespace reel::models::wan_vae
