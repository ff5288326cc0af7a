#include "reel/kernels/norms.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "cpu_rows.h"
#include "device.h"

namespace reel::kernels {
namespace {

using test::on_device;

Affine on_device(const Affine& a) {
  return {test::on_device(a.scale_RD), test::on_device(a.shift_RD)};
}

struct Case {
  std::vector<int64_t> shape;  // B, S, heads, half a head
  at::ScalarType dtype;
};

class Fused : public testing::TestWithParam<Case> {
 protected:
  int64_t B = GetParam().shape[0], S = GetParam().shape[1], R = GetParam().shape[3],
          D = GetParam().shape[2] * 2 * R;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);

  at::Tensor random(std::vector<int64_t> sizes) { return at::randn(sizes, generator); }
  at::Tensor tokens() { return (random({B, S, D}) * 2 + 0.5).to(GetParam().dtype); }
  Affine affine(int64_t rows) { return {random({rows, D}), random({rows, D})}; }

  /// Equal but for the order of sums: in bf16 that moves a few values by one unit in the last
  /// place, and on a GPU what is made of them by a few. The twin runs on the CPU.
  void expect_same(const at::Tensor& fused, const at::Tensor& plain) {
    ASSERT_EQ(fused.sizes(), plain.sizes());
    ASSERT_EQ(fused.scalar_type(), plain.scalar_type());
    const auto a = fused.to(at::kCPU, at::kDouble), b = plain.to(at::kDouble);
    const bool half = GetParam().dtype == at::kBFloat16;
    EXPECT_TRUE(at::allclose(a, b, half ? test::bound(8e-3, 2e-2) : 1e-5,
                             half ? test::bound(1e-3, 2e-2) : 1e-5));
    const double others = half ? at::ne(a, b).sum().item<double>() : 0;
    EXPECT_LE(others, 1 + test::bound(2e-3, 5e-2) * static_cast<double>(a.numel()));
  }
};

TEST_P(Fused, LayerNormIsItsTwin) {
  const auto x = tokens();
  for (const int64_t rows : {int64_t{1}, B}) {
    const auto a = affine(rows);
    expect_same(layer_norm(on_device(x), on_device(a), {}, 1e-6),
                plain::layer_norm(x, a, {}, 1e-6));
  }
}

TEST_P(Fused, RowsByIndexAreItsTwin) {
  const auto x = tokens(), y = tokens(), gate = random({3, D}), row_of = at::arange(B * S) % 3;
  const auto a = affine(3);
  expect_same(layer_norm(on_device(x), on_device(a), on_device(row_of), 1e-5),
              plain::layer_norm(x, a, row_of, 1e-5));
  const auto sum = add_gated(on_device(x), on_device(y), on_device(gate), on_device(row_of));
  EXPECT_TRUE(at::equal(sum.cpu(), plain::add_gated(x, y, gate, row_of)));
}

TEST_P(Fused, SumAndNormAreItsTwin) {
  const auto x = tokens(), y = tokens();
  const auto all = affine(1);
  for (const auto& gate : {at::Tensor(), random({1, D}), random({B, D})}) {
    const Sum fused =
        add_and_norm(on_device(x), on_device(y), on_device(gate), on_device(all), {}, 1e-6);
    const Sum plain = plain::add_and_norm(x, y, gate, all, {}, 1e-6);
    EXPECT_TRUE(at::equal(fused.x_BSD.cpu(), plain.x_BSD));
    expect_same(fused.normed_BSD, plain.normed_BSD);
  }
}

TEST_P(Fused, RmsNormAndRopeAreTheirTwins) {
  const auto x = tokens(), weight = random({D}).to(GetParam().dtype);
  const auto angles = random({S, R});
  const auto cos = at::cos(angles), sin = at::sin(angles);
  expect_same(rms_norm(on_device(x), on_device(weight), 1e-6), plain::rms_norm(x, weight, 1e-6));
  expect_same(rms_norm_rope(on_device(x), on_device(weight), 1e-6, on_device(cos), on_device(sin)),
              plain::rms_norm_rope(x, weight, 1e-6, cos, sin));
}

TEST_P(Fused, StridedTokensAreReadRight) {
  const auto x = on_device(tokens()), strided = x.transpose(0, 1).contiguous().transpose(0, 1);
  const auto a = on_device(affine(1));
  EXPECT_TRUE(at::equal(layer_norm(strided, a, {}, 1e-6), layer_norm(x, a, {}, 1e-6)));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Fused,
    testing::Values(Case{{1, 7, 1, 3}, at::kFloat}, Case{{2, 5, 3, 6}, at::kFloat},
                    Case{{1, 67, 5, 11}, at::kFloat}, Case{{1, 33, 2, 64}, at::kFloat},
                    Case{{1, 9, 40, 64}, at::kFloat}, Case{{2, 9, 40, 64}, at::kBFloat16},
                    Case{{1, 9, 12, 64}, at::kBFloat16}, Case{{1, 9, 24, 64}, at::kBFloat16},
                    Case{{1, 7, 1, 3}, at::kBFloat16}, Case{{2, 5, 3, 6}, at::kBFloat16},
                    Case{{1, 67, 5, 11}, at::kBFloat16}, Case{{3, 50, 2, 64}, at::kBFloat16}));

TEST(Rows, Bf16RoundsAsAten) {
  auto x = at::randn({4096}) * at::pow(10.0, at::randint(-40, 39, {4096}).to(at::kDouble));
  x = at::cat({x.to(at::kFloat), at::tensor({0.0F, -0.0F, INFINITY, -INFINITY, NAN, 1.00390625F})});
  auto rounded = at::empty_like(x, at::kBFloat16);
  cpu::store(x.const_data_ptr<float>(), static_cast<Bf16*>(rounded.data_ptr()), x.numel());
  EXPECT_TRUE(at::allclose(rounded, x.to(at::kBFloat16), 0, 0, /*equal_nan=*/true));
}

TEST(Norms, OtherDtypesTakeThePlainTwin) {
  const auto x = at::randn({1, 3, 8}, at::kDouble);
  const Affine a{at::randn({1, 8}), at::randn({1, 8})};
  EXPECT_TRUE(at::equal(layer_norm(x, a, {}, 1e-6), plain::layer_norm(x, a, {}, 1e-6)));
}

}  // namespace
}  // namespace reel::kernels
