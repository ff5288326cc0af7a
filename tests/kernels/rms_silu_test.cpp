#include "reel/kernels/rms_silu.h"

#include <ATen/ATen.h>

#include "golden.h"

namespace reel::kernels {
namespace {

at::Tensor fused(const at::Tensor& x, const at::Tensor& gamma) {
  const at::Tensor y = at::full_like(test::on_device(x), -1);
  rms_silu_out(test::on_device(x), test::on_device(gamma), y);
  return y.cpu();
}

class RmsSilu : public testing::TestWithParam<int64_t> {
 protected:
  int64_t C = GetParam();
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
  at::Tensor x = at::randn({3, 11, C}, generator) * 4;
  at::Tensor gamma = at::randn({C}, generator) * 2;
};

TEST_P(RmsSilu, IsItsTwin) {
  EXPECT_LT(test::relative_l2(fused(x, gamma), plain::rms_silu(x, gamma)), test::bound(3e-7));
  EXPECT_GT(test::relative_l2(fused(x, -gamma), plain::rms_silu(x, gamma)), 0.1);
}

TEST_P(RmsSilu, RoundsBf16Once) {
  if (test::device().is_cuda()) GTEST_SKIP() << "only the CPU's kernel does";
  const at::Tensor x16 = x.to(at::kBFloat16), gamma16 = gamma.to(at::kBFloat16);
  const at::Tensor right = plain::rms_silu(x16.to(at::kFloat), gamma16.to(at::kFloat));
  EXPECT_LT(test::relative_l2(fused(x16, gamma16), right.to(at::kBFloat16)), 1e-4);
  EXPECT_LE(test::relative_l2(fused(x16, gamma16), right),
            test::relative_l2(plain::rms_silu(x16, gamma16), right));
}

TEST_P(RmsSilu, WritesIntoPartsAndReadsViews) {
  const at::Tensor whole = at::zeros({3, 15, C}, test::device());
  rms_silu_out(test::on_device(x), test::on_device(gamma), whole.narrow(1, 4, 11));
  EXPECT_LE(test::max_abs(whole.narrow(1, 4, 11), fused(x, gamma)), test::bound(0));
  EXPECT_EQ(whole.narrow(1, 0, 4).abs().max().item<float>(), 0);

  const at::Tensor channels_first = x.transpose(1, 2).contiguous().transpose(1, 2);
  EXPECT_LT(test::max_abs(fused(channels_first, gamma), fused(x, gamma)), test::bound(1e-5));
}

TEST_P(RmsSilu, OfZerosMakesZerosAndKeepsWhatIsNotFinite) {
  x[0].zero_();
  x[1][0][0] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor y = fused(x, gamma);
  EXPECT_EQ(y[0].abs().max().item<float>(), 0);
  EXPECT_TRUE(y[1][0].isnan().all().item<bool>());
  EXPECT_TRUE(y[1][1].isfinite().all().item<bool>());
}

TEST_P(RmsSilu, IsRightWhereTheExponentialOverflows) {
  const at::Tensor large = gamma * 100;
  EXPECT_LT(test::relative_l2(fused(x, large), plain::rms_silu(x, large)), test::bound(3e-7));
}

INSTANTIATE_TEST_SUITE_P(Channels, RmsSilu, testing::Values(19, 96, 1024));

}  // namespace
}  // namespace reel::kernels
