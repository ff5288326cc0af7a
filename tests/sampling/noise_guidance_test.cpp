#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "golden.h"
#include "reel/base/error.h"
#include "reel/sampling/guidance.h"
#include "reel/sampling/noise.h"
#include "reel/sampling/scheduler.h"

namespace reel::sampling {
namespace {

TEST(Noise, IsThatOfDiffusers) {
  const test::Golden golden("noise");
  for (const auto& [name, info] : golden.file.tensors()) {
    const uint64_t seed = std::stoull(name.substr(name.rfind('.') + 1));
    const auto noise = [&](uint64_t from) {
      return initial_noise(info.shape, from, "cpu", test::device());
    };
    // Equal on one machine; another vector width moves the last bits of log, sin and cos.
    EXPECT_LT(test::max_abs(noise(seed), golden[name]), 1e-5) << name;
    EXPECT_GT(test::max_abs(noise(seed + 1), golden[name]), 0.1) << name;
    EXPECT_TRUE(at::equal(noise(seed), noise(seed + (uint64_t{1} << 32)))) << "only 32 bits count";
  }
}

TEST(Noise, IsRenewedInTheOrderThatItIsDrawn) {
  const std::vector<int64_t> shape{1, 4, 3, 2, 2};
  const at::Tensor first = initial_noise(shape, 9, "cpu", at::kCPU);
  const at::Tensor second = renewed_noise(shape, 0, 9, "cpu", at::kCPU);
  const at::Tensor third = renewed_noise(shape, 1, 9, "cpu", at::kCPU);
  EXPECT_EQ(second.sizes(), at::IntArrayRef(shape));
  EXPECT_FALSE(at::equal(first, second));
  EXPECT_FALSE(at::equal(second, third));
  const at::Tensor both = initial_noise({2, 3, 4, 2, 2}, 9, "cpu", at::kCPU);
  EXPECT_TRUE(at::equal(second, both.narrow(0, 1, 1).transpose(1, 2)));
}

TEST(Noise, RefusesAGeneratorThatIsNotThere) {
  for (const char* where : {"cuda", "tpu"}) {
    try {
      initial_noise({1, 16, 1, 2, 2}, 1, where, at::kCPU);
      ADD_FAILURE() << where;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      EXPECT_EQ(error.param(), "generator_device");
    }
  }
}

TEST(Guidance, IsThatOfDiffusers) {
  const test::Golden golden("ops");
  const double scale = std::stod(golden.metadata("guidance_scale"));
  const auto error = [&](double by) {
    return test::relative_l2(guide(golden["in.cond"], golden["in.uncond"], by),
                             golden["out.guided"]);
  };
  EXPECT_LT(error(scale), test::bound(1e-7, 1e-6));
  EXPECT_GT(error(scale + 1e-3), 1e-5);
}

TEST(Guidance, RoundsThreeTimesInBf16) {
  const auto bf16 = [](const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); };
  const at::Tensor c = bf16(at::linspace(-3, 2, 101)), u = bf16(at::cos(c * 5));
  const at::Tensor guided =
      guide(test::on_device(c).to(at::kBFloat16), test::on_device(u).to(at::kBFloat16), 5.3).cpu();
  ASSERT_EQ(guided.scalar_type(), at::kBFloat16);
  const at::Tensor expected = bf16(u + bf16(5.3 * bf16(c - u)));
  EXPECT_TRUE(at::equal(guided.to(at::kFloat), expected));
  EXPECT_FALSE(at::equal(bf16(u + 5.3 * (c - u)), expected));
}

TEST(Guidance, SplitsTheStepsOfTwoExperts) {
  // How many of the steps go to the high-noise expert, for boundaries 0.875 and 0.9.
  struct Case {
    int steps;
    double shift;
    int t2v, i2v;
  };
  for (const auto& [steps, shift, t2v, i2v] : {Case{40, 3, 13, 11},
                                               {40, 5, 17, 15},
                                               {40, 12, 26, 23},
                                               {50, 3, 16, 13},
                                               {50, 5, 21, 18},
                                               {20, 5, 9, 8},
                                               {8, 5, 4, 3},
                                               {4, 5, 2, 2}}) {
    const auto scheduler = make_scheduler({}, steps, shift);
    const auto high = [&](std::optional<double> boundary) {
      int count = 0;
      for (int i = 0; i < steps; ++i) {
        const double t = scheduler->timesteps()[i].item<double>();
        count += chooses_low_noise(t, boundary, 1000) ? 0 : 1;
      }
      return count;
    };
    EXPECT_EQ(high(0.875), t2v) << steps << " steps, shift " << shift;
    EXPECT_EQ(high(0.9), i2v) << steps << " steps, shift " << shift;
    EXPECT_EQ(high(std::nullopt), steps);
  }
  EXPECT_FALSE(chooses_low_noise(900, 0.9, 1000)) << "the boundary itself is high noise";
  EXPECT_TRUE(chooses_low_noise(899, 0.9, 1000));
}

}  // namespace
}  // namespace reel::sampling
