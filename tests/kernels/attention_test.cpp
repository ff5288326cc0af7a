#include "reel/kernels/attention.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "golden.h"

namespace reel::kernels {
namespace {

constexpr double kBound = 4e-3;  // bf16 has 8 bits

struct Inputs {
  at::Tensor q, k, v;
};

struct Shape {
  int64_t B, S, T, H;
};

Inputs draw(const Shape& shape) {
  at::manual_seed(static_cast<uint64_t>(shape.S * 31 + shape.T));
  const auto one = [&](int64_t tokens) {
    return at::randn({shape.B, tokens, shape.H, 128}).to(test::device(), at::kBFloat16);
  };
  return {one(shape.S), one(shape.T), one(shape.T)};
}

at::Tensor exact(const Inputs& x) {
  const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble).transpose(1, 2); };
  const auto weights = at::softmax(wide(x.q).matmul(wide(x.k).mT()) / std::sqrt(128), -1);
  return weights.matmul(wide(x.v)).transpose(1, 2);
}

TEST(Attention, OfTheCpuThereIsNone) {
  const auto q = at::zeros({1, 4, 2, 128}, at::kBFloat16);
  EXPECT_FALSE(has_attention(q, q));
  EXPECT_THROW(attention(q, q, q), c10::Error);
}

class GpuAttention : public testing::Test {
 protected:
  void SetUp() override {
    const auto q = at::zeros({1, 1, 1, 128}, test::device()).to(at::kBFloat16);
    if (!has_attention(q, q)) GTEST_SKIP() << "only where it can be had";
  }
};

TEST_F(GpuAttention, IsSoftmaxOverTheTokensOfEachHead) {
  for (const Shape& shape :
       {Shape{1, 1, 1, 1}, Shape{1, 128, 128, 1}, Shape{1, 257, 129, 2}, Shape{2, 300, 512, 3},
        Shape{1, 5000, 700, 12}, Shape{3, 64, 4096, 2}, Shape{1, 2000, 2000, 40}}) {
    const Inputs x = draw(shape);
    EXPECT_LT(test::relative_l2(attention(x.q, x.k, x.v), exact(x)), kBound)
        << shape.S << " queries, " << shape.T << " keys";
  }
}

/// Queries as a model makes them whose scores are to be exponents of two, and what they mean.
Inputs scaled(Inputs x) {
  x.q = (x.q.to(at::kFloat) * (M_LOG2E / std::sqrt(128))).to(at::kBFloat16);
  return x;
}
at::Tensor exact_of_scaled(Inputs x) {
  x.q = x.q.to(at::kDouble) * (std::sqrt(128) / M_LOG2E);
  return exact(x);
}

TEST_F(GpuAttention, TakesScoresThatAreExponents) {
  for (const Shape& shape : {Shape{1, 257, 129, 2}, Shape{1, 5000, 700, 12}, Shape{1, 64, 1, 1}}) {
    const Inputs x = scaled(draw(shape));
    EXPECT_LT(test::relative_l2(attention(x.q, x.k, x.v, true), exact_of_scaled(x)), kBound);
  }
  Inputs high = scaled(draw({1, 600, 500, 40})), low = high;  // sums of exponentials out of range
  high.q.select(2, 3).mul_(100);
  EXPECT_LT(test::relative_l2(attention(high.q, high.k, high.v, true), exact_of_scaled(high)),
            kBound);
  low.q = at::full_like(low.q, -2), low.k = low.k * 0.01 + 1;
  EXPECT_LT(test::relative_l2(attention(low.q, low.k, low.v, true), exact_of_scaled(low)), kBound);
}

TEST_F(GpuAttention, SeesTheLastKey) {
  const Inputs x = draw({1, 257, 129, 2});
  const auto less = [](const at::Tensor& t) { return t.narrow(1, 0, 128); };
  EXPECT_GT(test::relative_l2(attention(x.q, less(x.k), less(x.v)), exact(x)), 0.02);
}

TEST_F(GpuAttention, IsRightWhereScoresTowerOverThoseOfTheKeysThatComeFirst) {
  Inputs x = draw({2, 1300, 1000, 5});
  x.q.mul_(30);  // up to 2^8000 times as much
  x.k.narrow(1, 0, 50).mul_(20);
  EXPECT_LT(test::relative_l2(attention(x.q, x.k, x.v), exact(x)), kBound);

  x = draw({1, 1000, 1000, 3});
  x.q.select(2, 1).narrow(1, 700, 1).mul_(200);  // one row of one head
  EXPECT_LT(test::relative_l2(attention(x.q, x.k, x.v), exact(x)), kBound);

  x = draw({1, 2000, 1500, 40});  // some of many tiles
  for (int64_t head = 0; head < 40; head += 3) x.q.select(2, head).narrow(1, 300, 900).mul_(200);
  EXPECT_LT(test::relative_l2(attention(x.q, x.k, x.v), exact(x)), kBound);
}

TEST_F(GpuAttention, KeepsWhatIsNotFiniteInItsRow) {
  Inputs x = draw({1, 300, 300, 2});
  const auto right = attention(x.q, x.k, x.v);
  x.q[0][7][1] = std::numeric_limits<float>::quiet_NaN();
  const auto found = attention(x.q, x.k, x.v);
  EXPECT_TRUE(found[0][7][1].isnan().all().item<bool>());
  EXPECT_EQ(found.isnan().sum().item<int64_t>(), 128);
  EXPECT_LT(test::relative_l2(found.narrow(1, 8, 292), right.narrow(1, 8, 292)), kBound);
}

TEST_F(GpuAttention, ReadsViewsAndGivesTheSameBytesAgain) {
  const Inputs x = draw({2, 500, 500, 4});
  const auto by_head = [](const at::Tensor& t) {
    return t.transpose(1, 2).contiguous().transpose(1, 2);
  };
  const auto found = attention(x.q, x.k, x.v);
  EXPECT_TRUE(found.is_contiguous());
  EXPECT_TRUE(found.equal(attention(by_head(x.q), by_head(x.k), by_head(x.v))));
}

}  // namespace
}  // namespace reel::kernels
